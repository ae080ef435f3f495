"""The key set that a remote JWKS holds: how long it serves, and when the next fetch is due.

Times are seconds of one clock that never goes back and goes on while the machine sleeps. The rules, all here:

* a fetched set is confirmed as of the moment before it was asked for, serves for ``longest_outage`` from then on, and
  is due again after four fifths of its ``max-age``;
* a failed fetch takes nothing away; the next one is due after 1, 2, 4, … 30 s;
* a key ID that the set lacks makes a fetch due at once, but no sooner than 30 s after the last attempt began, which
  may be under way and bring what was true before;
* a key that comes again unchanged stays the same object, so that what was verified with it need not be verified anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from sensos_auth.verifying.errors import KeysUnavailable
from sensos_auth.verifying.keys import VerificationKey

COOLDOWN = 30.0
FRESH_WITHOUT_MAX_AGE = 300.0
SHORTEST_REFRESH = 30.0
LONGEST_REFRESH = 3600.0


@dataclass(frozen=True, slots=True)
class KeysHealth:
    """How it stands with the keys of a remote JWKS. Times are in seconds; nothing here is secret.

    ``usable`` tells whether tokens can be verified; ``confirmed_ago`` how old the keys held are, None before the first.
    ``failing_for`` counts from the first failed fetch since then, and ``last_error`` says in a few words how the last
    one failed; both are None while all is well.
    """

    usable: bool
    confirmed_ago: float | None
    failing_for: float | None
    last_error: str | None
    key_ids: tuple[str, ...]


class HeldKeys:
    """What is held and what is due. Read by all threads, changed by the one that fetches and by unknown key IDs."""

    def __init__(self, *, longest_outage: float, now: float) -> None:
        self._longest_outage = longest_outage
        self._keys: Mapping[str, VerificationKey] = {}
        self._confirmed_at = now - longest_outage
        self._attempted_at = now - COOLDOWN
        self._missed_since = False  # since the last attempt began
        self._failures = 0
        self._failing_since = now
        self._last_error: str | None = None
        self._lock = Lock()
        self.due_at = now

    def usable(self, now: float) -> bool:
        """Tell whether there are keys that may still serve."""
        return now - self._confirmed_at < self._longest_outage  # as in find, which is called for every request

    def find(self, kid: str, now: float) -> VerificationKey | None:
        """Return the key, or None; raises KeysUnavailable when there are none that may serve."""
        if now - self._confirmed_at >= self._longest_outage:
            raise KeysUnavailable("the keys of the issuer have not been fetched, or too long ago")
        return self._keys.get(kid)

    def miss(self, now: float) -> bool:
        """Note that the set may be out of date, and tell whether that brought the next fetch forward."""
        with self._lock:
            self._missed_since = True
            wanted_at = max(now, self._attempted_at + COOLDOWN)
            if self.due_at <= wanted_at:
                return False
            self.due_at = wanted_at
            return True

    def begin(self, now: float) -> None:
        """Note that a fetch begins."""
        with self._lock:
            self._attempted_at = now
            self._missed_since = False

    def succeed(self, keys: Mapping[str, VerificationKey], max_age: int | None) -> None:
        """Hold the keys that the fetch which began last brought; ``max_age`` is what its answer said, in seconds."""
        fresh_for = FRESH_WITHOUT_MAX_AGE if max_age is None else max_age * 0.8
        with self._lock:
            self._keys = {kid: _same_or(self._keys.get(kid), key) for kid, key in keys.items()}
            self._confirmed_at = self._attempted_at
            self._failures = 0
            self._last_error = None
            pause = COOLDOWN if self._missed_since else min(max(fresh_for, SHORTEST_REFRESH), LONGEST_REFRESH)
            self.due_at = self._attempted_at + pause

    def fail(self, now: float, error: str) -> None:
        """Keep what is held after a fetch that failed with ``error``, and make the next one due."""
        with self._lock:
            if self._failures == 0:
                self._failing_since = now
            self._last_error = error
            self.due_at = now + min(2.0 ** min(self._failures, 5), COOLDOWN)
            self._failures += 1

    def health(self, now: float) -> KeysHealth:
        """Return how it stands with the keys."""
        with self._lock:
            return KeysHealth(
                usable=self.usable(now),
                confirmed_ago=now - self._confirmed_at if self._keys else None,
                failing_for=now - self._failing_since if self._failures else None,
                last_error=self._last_error,
                key_ids=tuple(sorted(self._keys)),
            )

    def forget_lock(self) -> None:
        """Take a new lock in a forked process, where the thread that may have held the old one is gone."""
        self._lock = Lock()


def _same_or(held: VerificationKey | None, fetched: VerificationKey) -> VerificationKey:
    return held if held is not None and held.is_same_as(fetched) else fetched
