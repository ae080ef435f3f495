"""Token buckets: how often something may happen, for each of many keys, in bounded memory.

A bucket is kept as one number, the moment at which it will be full again (the generic cell rate algorithm of ATM, ITU-T
I.371, turned round): nothing has to be refilled, and times are whole nanoseconds, so that nothing is rounded.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from sensos_auth.model.errors import ConfigurationError

MOST_BUCKETS = 65_536
_SECOND = 1_000_000_000
_PERIODS = {"s": 1, "m": 60, "h": 3600}
_WRITTEN = re.compile(r"([1-9][0-9]{0,6})/([smh])(?: burst ([1-9][0-9]{0,6}))?")


@dataclass(frozen=True, slots=True)
class Limit:
    """``count`` in ``seconds``, and up to ``burst`` at once."""

    count: int
    seconds: int
    burst: int

    @property
    def refill_seconds(self) -> int:
        """Return in how many seconds an empty bucket is full, rounded up."""
        return -(-self.burst * self.seconds // self.count)

    def __str__(self) -> str:
        (period,) = (name for name, seconds in _PERIODS.items() if seconds == self.seconds)
        return f"{self.count}/{period} burst {self.burst}"


def limit_of(name: str, written: str) -> Limit | None:
    """Return the limit that the setting ``name`` has: ``20/s``, ``600/m burst 50``; None for ``off``.

    Without a burst, it is as many at once as in the period. Raises ConfigurationError.
    """
    if written == "off":
        return None
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise ConfigurationError(f"{name} must be such as 20/s, 600/m or 10/s burst 100 (s, m or h), or off")
    count, burst = int(match[1]), int(match[3] or match[1])
    return Limit(count, _PERIODS[match[2]], burst)


class TokenBuckets:
    """A bucket for each key. Used by one thread. ``clock`` returns nanoseconds and never goes back.

    Those that nobody asked for in the time in which an empty one fills are forgotten, because they are full: few are
    kept, and nothing has to be moved when one is asked for. Where more than 65 536 are asked for in that time, the ones
    asked for longest ago are forgotten sooner: they count as full.
    """

    def __init__(self, limit: Limit, *, most: int = MOST_BUCKETS, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.limit = limit
        # When each is full again. Those asked for lately are in the first, others in the second, some in both.
        self._younger: dict[Hashable, int] = {}
        self._older: dict[Hashable, int] = {}
        self._half = most // 2
        self._clock = clock
        # The time in which a token comes back, and how far ahead the moment of a bucket may lie that has one left. To
        # be exact, time is counted in parts of a nanosecond, as many as the limit's count.
        self.parts = limit.count
        self.each = limit.seconds * _SECOND
        self._depth = self.each * limit.burst
        self._farthest = self._depth - self.each
        self._older_at = 0
        self._taken: deque[tuple[Hashable, int]] | None = None

    def take(self, key: Hashable) -> int:
        """Take a token from the key's bucket; return 0, or in how many seconds there will be one (rounded up)."""
        now = self._clock() * self.parts
        if now >= self._older_at or len(self._younger) >= self._half:
            self._grow_older(now)
        full_at = self._younger.get(key) or self._older.get(key, 0)
        if full_at < now:
            full_at = now
        elif full_at - now > self._farthest:
            self._younger[key] = full_at
            return -(-(full_at - now - self._farthest) // (_SECOND * self.parts))
        self._younger[key] = full_at + self.each
        if self._taken is not None:
            self._taken.append((key, now))
        return 0

    def now(self) -> int:
        """Return the time, in parts of a nanosecond, ``parts`` of which make one. A token is back after ``each``."""
        return self._clock() * self.parts

    def record(self, most: int) -> deque[tuple[Hashable, int]]:
        """Write down from now on whose tokens are taken when; return where: the latest, as many as ``most``."""
        self._taken = deque(maxlen=most)
        return self._taken

    def full_at(self, key: Hashable) -> int:
        """Return when the key's bucket is full, as :meth:`now` counts; 0 where it is."""
        return self._younger.get(key) or self._older.get(key, 0)

    def put_off(self, key: Hashable, full_at: int) -> None:
        """Let the key's bucket be full at that moment, unless it is so later anyway: nothing is ever given back."""
        if full_at > self.full_at(key):
            if len(self._younger) >= self._half:
                self._grow_older(self.now())
            self._younger[key] = full_at
            # It may lack more than one bucket holds: none is forgotten before.
            self._older_at = max(self._older_at, full_at)

    def __len__(self) -> int:
        return len(self._younger.keys() | self._older.keys())

    def _grow_older(self, now: int) -> None:
        # Twice the time ago, or more, is what the second holds when it is let go.
        self._older = self._younger if now < self._older_at + self._depth else {}
        self._younger = {}
        self._older_at = now + self._depth
