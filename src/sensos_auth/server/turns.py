"""A queue in which everybody gets his turn: who puts a hundred things in waits for them, and nobody else does."""

import threading
from collections import OrderedDict, deque
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


class Turns(Generic[_Item]):
    """Items of several parties: each party's in order, one of each in turn. Used by any number of threads."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, deque[_Item]] = OrderedDict()
        self._count = 0
        self._has_ended = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return self._count

    def waiting_of(self, whose: str) -> int:
        """Return how many items of this party wait."""
        with self._changed:
            return len(self._items.get(whose, ()))

    def put(self, whose: str, item: _Item) -> None:
        """Add an item of this party, behind its others."""
        with self._changed:
            self._items.setdefault(whose, deque()).append(item)
            self._count += 1
            self._changed.notify()

    def take(self) -> _Item | None:
        """Wait for an item of whose turn it is, and return it; None once :meth:`end` was called and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._has_ended)
            if not self._items:
                return None
            whose, items = self._items.popitem(last=False)
            item = items.popleft()
            self._count -= 1
            if items:
                self._items[whose] = items  # at the end of the line
            return item

    def end(self) -> None:
        """Let nobody wait for another item."""
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()
