"""The key set that a remote JWKS holds: how long it serves, and when the next fetch is due.

Times are seconds of one clock that never goes back and goes on while the machine sleeps. The rules, all here:

* a fetched set is confirmed as of the moment before it was asked for, serves for ``longest_outage`` from then on, and
  is due again after four fifths of its ``max-age``;
* a failed fetch takes nothing away; the next one is due after 1, 2, 4, … 30 s;
* a key ID that the set lacks makes a fetch due at once, but no sooner than 30 s after the last attempt began.
"""

from collections.abc import Mapping
from threading import Lock

from sensos_auth.verifying.errors import KeysUnavailable
from sensos_auth.verifying.keys import VerificationKey

COOLDOWN = 30.0
FRESH_WITHOUT_MAX_AGE = 300.0
SHORTEST_REFRESH = 30.0
LONGEST_REFRESH = 3600.0


class HeldKeys:
    """What is held and what is due. Read by all threads, changed by the one that fetches and by unknown key IDs."""

    def __init__(self, *, longest_outage: float, now: float) -> None:
        self._longest_outage = longest_outage
        self._keys: Mapping[str, VerificationKey] = {}
        self._confirmed_at = now - longest_outage
        self._attempted_at = now - COOLDOWN
        self._failures = 0
        self._lock = Lock()
        self.due_at = now

    def usable(self, now: float) -> bool:
        """Tell whether there are keys that may still serve."""
        return now - self._confirmed_at < self._longest_outage

    def find(self, kid: str, now: float) -> VerificationKey | None:
        """Return the key, or None; raises KeysUnavailable when there are none that may serve."""
        if not self.usable(now):
            raise KeysUnavailable("the keys of the issuer have not been fetched, or too long ago")
        return self._keys.get(kid)

    def miss(self, now: float) -> bool:
        """Note that a key ID is not in the set, and tell whether that brought the next fetch forward."""
        with self._lock:
            wanted_at = max(now, self._attempted_at + COOLDOWN)
            if self.due_at <= wanted_at:
                return False
            self.due_at = wanted_at
            return True

    def begin(self, now: float) -> None:
        """Note that a fetch begins."""
        with self._lock:
            self._attempted_at = now

    def succeed(self, keys: Mapping[str, VerificationKey], max_age: int | None) -> None:
        """Hold the keys that the fetch which began last brought; ``max_age`` is what its answer said, in seconds."""
        fresh_for = FRESH_WITHOUT_MAX_AGE if max_age is None else max_age * 0.8
        with self._lock:
            self._keys = keys
            self._confirmed_at = self._attempted_at
            self._failures = 0
            self.due_at = self._attempted_at + min(max(fresh_for, SHORTEST_REFRESH), LONGEST_REFRESH)

    def fail(self, now: float) -> None:
        """Keep what is held after a fetch that brought nothing, and make the next one due."""
        with self._lock:
            self.due_at = now + min(2.0 ** min(self._failures, 5), COOLDOWN)
            self._failures += 1

    def forget_lock(self) -> None:
        """Take a new lock in a forked process, where the thread that may have held the old one is gone."""
        self._lock = Lock()
