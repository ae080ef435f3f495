"""Token buckets: how often something may happen, for each of many keys, in bounded memory.

A bucket is kept as one number, the moment at which it will be full again (the generic cell rate algorithm of ATM, ITU-T
I.371, turned round): nothing has to be refilled, and times are whole nanoseconds, so that nothing is rounded.
"""

import re
import time
from collections import OrderedDict
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
    """A bucket for each key. Used by one thread.

    Of more than 65 536 keys, the one that took longest ago is forgotten: its bucket counts as full. ``clock`` returns
    nanoseconds and never goes back.
    """

    def __init__(self, limit: Limit, *, most: int = MOST_BUCKETS, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.limit = limit
        self._full_at: OrderedDict[Hashable, int] = OrderedDict()
        self._most = most
        self._clock = clock
        # The time in which a token comes back, and how far ahead the moment of a bucket may lie that has one left. To
        # be exact, a token's time is counted in parts of a nanosecond, as many as the limit's count.
        self._each = limit.seconds * _SECOND
        self._farthest = self._each * (limit.burst - 1)

    def take(self, key: Hashable) -> int:
        """Take a token from the key's bucket; return 0, or in how many seconds there will be one (rounded up)."""
        now = self._clock() * self.limit.count
        full_at = max(now, self._full_at.get(key, 0))
        too_far = full_at - now - self._farthest
        if too_far > 0:
            return -(-too_far // (_SECOND * self.limit.count))
        self._full_at[key] = full_at + self._each
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return 0

    def __len__(self) -> int:
        return len(self._full_at)
