"""When a thing can have been on, or off, by what is known of the calls that switch it.

A call takes effect at one moment between its begin and its end; one of unknown outcome at any moment from its begin on,
or never. Whatever order of the moments agrees with that is possible (Herlihy and Wing, "Linearizability", 1990).
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from tests.nodes.history import Operation, Outcome

Interval = tuple[float, float]
ALWAYS: Interval = (float("-inf"), float("inf"))


class PossibleStates:
    """The times, as closed intervals, at which something can have been in the state that ``into`` brings.

    Calls of ``out_of`` end the state. ``is_initial`` tells whether it holds before the first call. Whoever looks may be
    ``patience`` seconds behind a call that ends the state.
    """

    def __init__(
        self, into: Iterable[Operation], out_of: Iterable[Operation], *, is_initial: bool, patience: float = 0.0
    ) -> None:
        ends = sorted((call.begin, call.end + patience) for call in out_of if call.outcome is Outcome.DONE)
        begins = [(call.begin, call.latest) for call in into if call.may_have_happened]
        if is_initial:
            begins.append((float("-inf"), float("-inf")))
        # Entered by a call between `begin` and `latest`, it holds until a call has returned that began after that.
        found = [
            (begin, min((end for start, end in ends if start > latest), default=ALWAYS[1])) for begin, latest in begins
        ]
        self.intervals = _united(found)
        self._begins = [begin for begin, _ in self.intervals]

    def within(self, begin: float, end: float) -> list[Interval]:
        """Return the intervals, as far as they lie between ``begin`` and ``end``."""
        first = max(0, bisect_right(self._begins, begin) - 1)
        last = bisect_right(self._begins, end)
        cut = ((max(begin, low), min(end, high)) for low, high in self.intervals[first:last])
        return [(low, high) for low, high in cut if low <= high]


def at_the_same_time(states: Sequence[PossibleStates], begin: float, end: float) -> bool:
    """Tell whether all of them can have held at one moment between ``begin`` and ``end``."""
    common = [(begin, end)]
    for state in states:
        common = [piece for low, high in common for piece in state.within(low, high)]
    return bool(common)


def _united(intervals: list[Interval]) -> list[Interval]:
    united: list[Interval] = []
    for begin, end in sorted(intervals):
        if united and begin <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((begin, end))
    assert all(before[1] < after[0] for before, after in pairwise(united))
    return united
