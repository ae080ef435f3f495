"""Buckets that many workers take from: what one tells of its own, and how it takes in what it hears of the others'.

Each worker decides by its own buckets. Now and then it tells a server (:mod:`sensos_auth.server.limits_server`) what it
took meanwhile; the server adds up what all tell, and answers how much each of these buckets lacks. A bucket that is
known to lack more than it seemed to is put off, and never the other way round.

What a bucket lacks is a time, until it is full. The server's bucket then is what one bucket would be from which all
tokens were taken one exchange later at most: never fuller, and emptier by the time of an exchange at most.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from sensos_auth.server.token_buckets import TokenBuckets

_MICROSECOND = 1_000
# Nanoseconds. An exchange takes no longer, or fails. What was taken longer ago is not added any more: most of it has
# come back meanwhile, which the server knows nothing of.
LONGEST = 1_000_000_000
# Takes that wait for an exchange: more than a worker has in the longest one, and few enough to be put together while
# requests wait, after an outage.
MOST_TAKES = 8_192


class Told(NamedTuple):
    """What is told of a bucket, in whole microseconds, rounded up. One that is full again lacks less than nothing."""

    key: Hashable
    taken: int  # the time in which comes back what was taken since the last exchange
    lacks: int  # what the bucket lacks at least, as far as this worker knows


class Batch(NamedTuple):
    """What is told in one exchange, and when it was put together, in the buckets' own time."""

    at: int
    told: list[Told]


class SharedBuckets:
    """A worker's buckets, which it shares. Used by the thread that takes from them."""

    def __init__(self, buckets: TokenBuckets, *, most: int = MOST_TAKES) -> None:
        """Take the buckets, and how many takes may wait for an exchange: the oldest ones beyond that are not told."""
        self._buckets = buckets
        self._taken = buckets.record(most)
        self._unit = buckets.parts * _MICROSECOND

    def collect(self) -> Batch:
        """Return what is to be told of all that was taken since the last time."""
        buckets, each = self._buckets, self._buckets.each
        now, unit = buckets.now(), self._unit
        second = LONGEST * buckets.parts
        taken = list(self._taken)
        self._taken.clear()
        # What each bucket would lack after these takes, had it been full before them.
        full_at: dict[Hashable, int] = {}
        for key, at in taken:
            before = full_at.get(key, at)
            full_at[key] = max(at, before) + each
        counts = Counter(key for key, at in taken if at >= now - second)
        told = []
        for key, own in full_at.items():
            # In case that the server has forgotten it. Less than it is, because what is told arrives late: it would
            # grow by that each time it is told, and told back.
            known = buckets.full_at(key) - second
            lacks = max(own, known) - now
            told.append(Told(key, -(-counts.get(key, 0) * each // unit), -(-lacks // unit)))
        return Batch(now, told)

    def take_in(self, batch: Batch, lacking: Sequence[int]) -> None:
        """Put off the buckets of the batch: they lacked as many microseconds, as the server answers, when it was sent.

        Sent, not answered: who is held up on the way loses nothing by it. What was taken meanwhile is lacking as well.
        """
        buckets, at, unit = self._buckets, batch.at, self._unit
        meanwhile = Counter(key for key, _ in self._taken)
        for (key, _, _), lacks in zip(batch.told, lacking, strict=True):
            buckets.put_off(key, at + lacks * unit + meanwhile.get(key, 0) * buckets.each)
