"""Counting in memory what each token request came to: this is on the hot path, writing it down is not.

Nothing here grows with what clients send: application IDs that nobody could have are counted together, and so are
those beyond a number.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sensos_auth.model.identifiers import is_identifier
from sensos_auth.registry.credentials import Credential

# Secrets in one count, of some 160 bytes each: beyond it, the count is closed before its minute is over. Each row that
# is written costs a few tokens' time: this many are worth waiting for.
MOST_SECRETS = 100_000
# Different application IDs, in a minute, whose refusals are counted each by itself; the rest are counted under "".
MOST_REFUSED = 4_096
# Tokens that are noted before they are counted up: at once, that takes a fraction of the time.
_NOTED = 1_024


@dataclass(frozen=True, slots=True)
class Count:
    """What happened in a minute (UTC minutes since the epoch), or in a part of it.

    ``tokens`` is by ``<application ID>/<secret ID>``, a key that takes little memory. ``lifetimes`` has, in seconds and
    by the same key, those of tokens that do not live as long as most; of several, the longest. ``refusals`` is by the
    application ID that requests named.
    """

    minute: int
    tokens: Counter[str] = field(default_factory=Counter)
    lifetimes: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Return in how many rows it is written."""
        return len(self.tokens) + len(self.refusals)


class UsageCounter:
    """Counts for one worker: one thread counts, any thread takes.

    ``lifetime`` is that of most tokens in seconds. ``on_full`` is called when a count is closed early, and must not
    wait.
    """

    def __init__(
        self, lifetime: int, on_full: Callable[[], None] = lambda: None, *, most_secrets: int = MOST_SECRETS
    ) -> None:
        self.lifetime = lifetime
        self._on_full = on_full
        self._most_secrets = most_secrets
        self._lock = threading.Lock()
        self._noted: list[str] = []
        self._current = Count(0)
        self._closed: list[Count] = []

    def count_token(self, credential: Credential, now: int, lifetime: int) -> None:
        """Count one token that was obtained with the credential now (UTC seconds), and lives ``lifetime`` seconds."""
        if self._current.minute != now // 60 or len(self._noted) >= _NOTED:
            self._count_up(now // 60)
        key = f"{credential.application_id}/{credential.secret_id}"
        self._noted.append(key)
        if lifetime != self.lifetime:
            with self._lock:
                lifetimes = self._current.lifetimes
                lifetimes[key] = max(lifetime, lifetimes.get(key, 0))

    def count_refusal(self, application_id: str, now: int) -> None:
        """Count one refusal of a request that named this application; the same work whatever the cause."""
        if self._current.minute != now // 60:
            self._count_up(now // 60)
        is_written_like_one = application_id.startswith("app_") & is_identifier(application_id)
        with self._lock:
            refusals = self._current.refusals
            is_counted_by_itself = application_id in refusals or (is_written_like_one and len(refusals) < MOST_REFUSED)
            key = application_id if is_counted_by_itself else ""
            refusals[key] = refusals.get(key, 0) + 1

    def take(self, now: int | None = None) -> list[Count]:
        """Return the counts of the minutes before that of ``now`` (UTC seconds), and forget them; without it, all."""
        with self._lock:
            self._add_noted()
            minute = 0 if now is None else now // 60
            if self._current.minute != minute:
                self._turn_to(minute)
            closed, self._closed = self._closed, []
        return closed

    def _count_up(self, minute: int) -> None:
        with self._lock:
            self._add_noted()
            is_full = len(self._current.tokens) >= self._most_secrets
            if is_full or self._current.minute != minute:
                self._turn_to(minute)
        if is_full:
            self._on_full()

    def _add_noted(self) -> None:
        noted = self._noted[:]
        del self._noted[: len(noted)]  # not all: more may have been noted since, by the thread that counts
        self._current.tokens.update(noted)

    def _turn_to(self, minute: int) -> None:
        if self._current.rows:
            self._closed.append(self._current)
        self._current = Count(minute)
