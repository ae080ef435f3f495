"""Counting in memory what each token request came to: this is on the hot path, writing it down is not.

Nothing here grows with what clients send: application IDs that nobody could have are counted together, and so are
those beyond a number.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sensos_auth.model.identifiers import is_identifier
from sensos_auth.registry.credentials import Credential

# Secrets in one count, of some 300 bytes each: beyond it, the count is closed before its minute is over.
MOST_SECRETS = 16_384
# Different application IDs, in a minute, whose refusals are counted each by itself; the rest are counted under "".
MOST_REFUSED = 4_096

# What came of a secret in a minute: its application's ID, how many tokens, the second of the minute in which the last
# one was issued, and the lifetime of the one that lives longest in seconds. A bare tuple takes half as long to make as
# one with names, and small numbers take no memory.
Used = tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class Count:
    """What happened in a minute (UTC minutes since the epoch), or in a part of it.

    ``used`` is by secret ID, ``refusals`` by the application ID that requests named.
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

    def count_token(self, credential: Credential, now: int, lifetime: int) -> None:
        """Count one token that was obtained with the credential now (UTC seconds), and lives ``lifetime`` seconds."""
        minute, second = divmod(now, 60)
        with self._lock:
            used = (self._current if self._current.minute == minute else self._turn_to(minute)).used
            before = used.get(credential.secret_id)
            if before is not None:
                longest = max(lifetime, before[3])
                used[credential.secret_id] = (before[0], before[1] + 1, second, longest)
                return
            used[credential.secret_id] = (credential.application_id, 1, second, lifetime)
            is_full = len(used) >= self._most_secrets
            if is_full:
                self._turn_to(minute)
        if is_full:
            self._on_full()

    def count_refusal(self, application_id: str, now: int) -> None:
        """Count one refusal of a request that named this application; the same work whatever the cause."""
        is_written_like_one = application_id.startswith("app_") & is_identifier(application_id)
        minute = now // 60
        with self._lock:
            refusals = (self._current if self._current.minute == minute else self._turn_to(minute)).refusals
            is_counted_by_itself = application_id in refusals or (is_written_like_one and len(refusals) < MOST_REFUSED)
            key = application_id if is_counted_by_itself else ""
            refusals[key] = refusals.get(key, 0) + 1

    def take(self, now: int | None = None) -> list[Count]:
        """Return the counts of the minutes before that of ``now`` (UTC seconds), and forget them; without it, all."""
        with self._lock:
            minute = 0 if now is None else now // 60
            if self._current.minute != minute:
                self._turn_to(minute)
            closed, self._closed = self._closed, []
        return closed

    def _turn_to(self, minute: int) -> Count:
        if self._current.used or self._current.refusals:
            self._closed.append(self._current)
        self._current = Count(minute)
        return self._current
