"""One deadline for many tasks: a single timer looks after them all, so that each costs a fraction of one of its own."""

import asyncio

_LOOKS_EVERY = 0.25  # seconds


class Deadline:
    """Cancels the tasks that are held for longer than ``seconds``, a quarter of a second late at most.

    Used on one event loop at a time.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._held_since: dict[asyncio.Task[object], float] = {}  # the oldest first
        self._looking_on: asyncio.AbstractEventLoop | None = None

    def hold(self, task: asyncio.Task[object]) -> None:
        """Begin to count for this task."""
        loop = task.get_loop()
        self._held_since[task] = loop.time()
        if self._looking_on is not loop:
            self._look_later(loop)

    def holds(self, task: asyncio.Task[object]) -> bool:
        """Tell whether the task is held: in one that is being cancelled, that is not this deadline's doing."""
        return task in self._held_since

    def let_go(self, task: asyncio.Task[object]) -> None:
        """Count no longer for this task."""
        self._held_since.pop(task, None)

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._looking_on = loop
        loop.call_later(_LOOKS_EVERY, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        over = loop.time() - self._seconds
        for task, since in list(self._held_since.items()):
            if since > over:
                break
            del self._held_since[task]
            task.cancel()
        if self._held_since:
            self._look_later(loop)
        else:
            self._looking_on = None
