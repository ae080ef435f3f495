"""Token buckets: how often something may happen, for each of many keys, in bounded memory.

A bucket is kept as one number, the moment at which it will be full again (the generic cell rate algorithm of ATM, ITU-T
I.371, turned round): nothing has to be refilled, and times are whole nanoseconds, so that nothing is rounded.
"""

import re
import time
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
        self._parts = limit.count
        self._each = limit.seconds * _SECOND
        self._depth = self._each * limit.burst
        self._farthest = self._depth - self._each
        self._older_at = 0

    def take(self, key: Hashable) -> int:
        """Take a token from the key's bucket; return 0, or in how many seconds there will be one (rounded up)."""
        now = self._clock() * self._parts
        if now >= self._older_at or len(self._younger) >= self._half:
            self._grow_older(now)
        full_at = self._younger.get(key) or self._older.get(key, 0)
        if full_at < now:
            full_at = now
        elif full_at - now > self._farthest:
            self._younger[key] = full_at
            return -(-(full_at - now - self._farthest) // (_SECOND * self._parts))
        self._younger[key] = full_at + self._each
        return 0

    def __len__(self) -> int:
        return len(self._younger.keys() | self._older.keys())

    def _grow_older(self, now: int) -> None:
        # Twice the time ago, or more, is what the second holds when it is let go.
        self._older = self._younger if now < self._older_at + self._depth else {}
        self._younger = {}
        self._older_at = now + self._depth
