"""Two threads of which one runs at a time, from one point to the next, in an order that a test decides."""

import threading
from collections.abc import Callable

from sensos_auth.registry.lease import Confirmed, Lease

_PATIENCE = 20.0


class _Ended(BaseException):
    """Ends the other thread at its next point."""


class OtherThread:
    """Runs ``turn`` again and again in a thread that stops at each of its points until it is told to go on."""

    def __init__(self, turn: Callable[[], object]) -> None:
        self.turns = 0
        self._turn = turn
        self._may_go_on = threading.Semaphore(0)
        self._has_stopped = threading.Semaphore(0)
        self._is_ending = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def is_this_one(self) -> bool:
        """Tell whether it is the other thread that asks."""
        return threading.current_thread() is self._thread

    def point(self) -> None:
        """Stop here, in the other thread, until the next step."""
        self._has_stopped.release()
        self._may_go_on.acquire()
        if self._is_ending:
            raise _Ended

    def step(self) -> None:
        """Let it go on to its next point. Raises what it raised."""
        self._may_go_on.release()
        assert self._has_stopped.acquire(timeout=_PATIENCE)
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """End it where it stands."""
        self._is_ending = True
        self._may_go_on.release()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        self._may_go_on.acquire()
        try:
            while not self._is_ending:
                self._turn()
                self.turns += 1
                self.point()
        except _Ended:
            pass
        except Exception as error:  # noqa: BLE001 - told to whoever made it step
            self._error = error
            self._has_stopped.release()


class SharedLease(Lease):
    """A lease at each use of which ``before_use`` is called: whatever the other thread does may come in between."""

    def __init__(self, before_use: Callable[[], None]) -> None:
        self._before_use: Callable[[], None] = lambda: None
        super().__init__()
        self._before_use = before_use

    @property
    def confirmed(self) -> Confirmed:
        """Return what was confirmed last."""
        self._before_use()
        return self._confirmed

    @confirmed.setter
    def confirmed(self, confirmed: Confirmed) -> None:
        self._before_use()
        self._confirmed = confirmed

    def note_change(self, subject: str, version: int) -> None:
        """As in a lease."""
        self._before_use()
        super().note_change(subject, version)

    def note_changes_everywhere(self, version: int) -> None:
        """As in a lease."""
        self._before_use()
        super().note_changes_everywhere(version)

    def has_changed(self, read_at: int, *subjects: str) -> bool:
        """As in a lease."""
        self._before_use()
        return super().has_changed(read_at, *subjects)
