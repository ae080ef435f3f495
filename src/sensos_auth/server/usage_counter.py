"""Counting in memory what each token request came to: this is on the hot path, writing it down is not.

Nothing here grows with what clients send: application IDs that nobody could have are counted together, and so are
those beyond a number.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sensos_auth.model.identifiers import is_identifier
from sensos_auth.registry.credentials import Credential

# Secrets in one count: beyond it, the count is closed before its minute is over.
MOST_SECRETS = 200_000
# Different application IDs, in a minute, whose refusals are counted each by itself; the rest are counted under "".
MOST_REFUSED = 4_096


# What came of a secret: its application's ID, how many tokens, when the last one was issued, and when the last of them
# expires (UTC seconds). A bare tuple, which takes half as long to make as one with names.
Used = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class Count:
    """What happened in a minute, or a part of it, by secret ID and by the application ID that a request named.

    ``minute`` is in UTC minutes since the epoch.
    """

    minute: int
    used: dict[str, Used] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)


class UsageCounter:
    """Counts for one worker, from any thread. ``on_full`` is called when a count is closed early; it must not wait."""

    def __init__(self, on_full: Callable[[], None] = lambda: None, *, most_secrets: int = MOST_SECRETS) -> None:
        self._on_full = on_full
        self._most_secrets = most_secrets
        self._lock = threading.Lock()
        self._current = Count(0)
        self._closed: list[Count] = []

    def count_token(self, credential: Credential, now: int, expires_at: int) -> None:
        """Count one token that was obtained with the credential; both times in UTC seconds."""
        with self._lock:
            minute = now // 60
            used = (self._current if self._current.minute == minute else self._turn_to(minute)).used
            before = used.get(credential.secret_id)
            if before is None:
                used[credential.secret_id] = (credential.application_id, 1, now, expires_at)
                is_full = len(used) >= self._most_secrets
                if is_full:
                    self._turn_to(minute)
            else:
                latest = max(expires_at, before[3])
                used[credential.secret_id] = (credential.application_id, before[1] + 1, now, latest)
                is_full = False
        if is_full:
            self._on_full()

    def count_refusal(self, application_id: str, now: int) -> None:
        """Count one refusal of a request that named this application; the same work whatever the cause."""
        is_written_like_one = application_id.startswith("app_") & is_identifier(application_id)
        with self._lock:
            minute = now // 60
            refusals = (self._current if self._current.minute == minute else self._turn_to(minute)).refusals
            is_counted_by_itself = application_id in refusals or (is_written_like_one and len(refusals) < MOST_REFUSED)
            key = application_id if is_counted_by_itself else ""
            refusals[key] = refusals.get(key, 0) + 1

    def take(self, now: int | None) -> list[Count]:
        """Return the counts that are closed, and forget them: those before the minute of ``now`` (UTC seconds).

        ``None`` closes all of them.
        """
        with self._lock:
            if now is None or self._current.minute != now // 60:
                self._turn_to(self._current.minute if now is None else now // 60)
            closed, self._closed = self._closed, []
        return closed

    def _turn_to(self, minute: int) -> Count:
        if self._current.used or self._current.refusals:
            self._closed.append(self._current)
        self._current = Count(minute)
        return self._current
