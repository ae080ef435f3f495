"""A thread that works on the registry for the event loop, with a connection of its own, one piece of work at a time.

So no request that asks for a token waits for a change that another one makes; and whoever changes something queues
here, in place of meeting ``database is locked``. Tenants take turns, so that a busy one keeps no other waiting.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry import Registry
from sensos_auth.server.answers import Refusal, error_answer
from sensos_auth.server.turns import Turns

# Pieces of work that wait, altogether and of one tenant, and seconds that one waits at most for its turn. Beyond that
# the client shall come again later.
MOST_WAITING = 1_000
MOST_WAITING_OF_ONE = 100
LONGEST_WAIT = 3.0
_TOO_MANY = error_answer(
    429, "Too many requests of your tenant wait for an answer: send fewer at once", (b"retry-after", b"1")
)

_Result = TypeVar("_Result")


@dataclass(slots=True, eq=False)
class _Work:
    do: Callable[[Registry], Any]
    wait_until: float  # on the monotonic clock
    result: "asyncio.Future[Any]"


class RegistryThread:
    """Does work on a registry. ``open_registry`` is called in the thread, at its first work."""

    def __init__(self, open_registry: Callable[[], Registry]) -> None:
        self._open_registry = open_registry
        self._registry: Registry | None = None
        self._waiting: Turns[_Work] = Turns()
        self._settled_at = 0.0  # on the monotonic clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="management", daemon=True)

    def start(self) -> None:
        """Begin, for the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self, timeout: float = 3.0) -> None:
        """Do what is there and end, waiting at most ``timeout`` seconds."""
        self._waiting.end()
        self._thread.join(timeout)

    async def run(self, work: Callable[[Registry], _Result], whose: str = "") -> _Result:
        """Return what ``work`` returns, or raise what it raises, once its turn has come. ``whose`` is a tenant's ID.

        Raises Refusal (429) when too much of this tenant's is waiting; RegistryUnavailable when too much is altogether,
        or its turn did not come within three seconds: then nothing was done. Work that nobody waits for any more is not
        begun.
        """
        if self._waiting.waiting_of(whose) >= MOST_WAITING_OF_ONE:
            raise Refusal(_TOO_MANY)
        if len(self._waiting) >= MOST_WAITING:
            raise RegistryUnavailable("too many requests to the management API at once")
        result: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._waiting.put(whose, _Work(work, time.monotonic() + LONGEST_WAIT, result))
        return await result

    def _run(self) -> None:
        while (work := self._waiting.take()) is not None:
            if work.result.cancelled():
                continue
            self._settled_at = 0.0
            try:
                result = self._do(work)
            except Exception as error:  # noqa: BLE001 - the thread must live on: who asked is told
                self._settle(work.result, error, None)
            else:
                self._settle(work.result, None, result)
        if self._registry is not None:
            self._registry.close()

    def _do(self, work: _Work) -> Any:  # noqa: ANN401 - whatever the work returns
        if time.monotonic() > work.wait_until:
            raise RegistryUnavailable("the registry is busy: requests to the management API wait for too long")
        if self._registry is None:
            self._registry = self._open_registry()
            self._registry.settle = self._put_answer_off
        return work.do(self._registry)

    def _put_answer_off(self, seconds: float) -> None:
        """Let who asked wait until the change has settled, and not this thread: the next work can be done meanwhile."""
        self._settled_at = time.monotonic() + seconds

    def _settle(self, future: "asyncio.Future[Any]", error: Exception | None, result: object) -> None:
        def settle() -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        loop = self._loop
        assert loop is not None
        wait = self._settled_at - time.monotonic()
        try:
            loop.call_soon_threadsafe(*(settle,) if wait <= 0 else (loop.call_later, wait, settle))
        except RuntimeError:  # the loop is closed: nobody is left to be told
            return
