"""Paired, randomly interleaved samples, and an interval for the median of their differences.

A pair is one request of a cause and one of the reference cause, sent one after the other in random order. What else
the machine does then meets both alike: a drift cancels out in the difference, and the random order makes the difference
of two equal causes symmetric about zero. The causes take turns in an order that is drawn anew each time.

The interval is that of order statistics: the median of independent differences lies between the j-th smallest and the
j-th largest with a probability given by the binomial distribution of n and 1/2, whatever their distribution is, with
its outliers and heavy tails. Nothing is thrown away. For the thousands of pairs here the normal approximation gives j.
"""

import random
from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, sqrt
from statistics import NormalDist
from typing import TypeVar

CONFIDENCE = 0.999
_FEWEST_PAIRS = 100

Request = TypeVar("Request")


@dataclass(frozen=True)
class Interval:
    """Where the median difference to the reference is, in microseconds, with 99.9 % confidence."""

    low: float
    median: float
    high: float

    def is_within(self, bound: float) -> bool:
        """Tell whether all of it lies within plus or minus ``bound`` microseconds."""
        return -bound <= self.low and self.high <= bound


async def sample(
    measure: Callable[[Request], Awaitable[int]],
    pools: Mapping[str, Sequence[Request]],
    reference: str,
    pairs: int,
    progress: Callable[[int], None],
) -> dict[str, "array[int]"]:
    """Return for each cause but the reference the differences of so many pairs, in nanoseconds.

    ``measure`` sends a request and returns how many nanoseconds the answer took.
    """
    draw = random.Random()  # noqa: S311 - an order, not a secret
    causes = [cause for cause in pools if cause != reference]
    differences = {cause: array("q") for cause in causes}
    for number in range(pairs):
        draw.shuffle(causes)
        for cause in causes:
            one, other = draw.choice(pools[cause]), draw.choice(pools[reference])
            if draw.getrandbits(1):
                took = await measure(one)
                difference = took - await measure(other)
            else:
                took = await measure(other)
                difference = await measure(one) - took
            differences[cause].append(difference)
        progress(number + 1)
    return differences


def median_interval(differences: Sequence[int]) -> Interval:
    """Return the interval of the median of differences given in nanoseconds."""
    count = len(differences)
    if count < _FEWEST_PAIRS:
        raise ValueError(f"{count} pairs say nothing")
    ordered = sorted(differences)
    deviations = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    rank = floor(count / 2 - deviations * sqrt(count) / 2)
    return Interval(ordered[rank] / 1e3, ordered[count // 2] / 1e3, ordered[count - 1 - rank] / 1e3)
