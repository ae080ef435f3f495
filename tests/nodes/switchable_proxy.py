"""TCP proxies whose target can be exchanged, and whose connections can be cut, refused, delayed, or lost in silence.

All of a test's proxies run in one thread, in an event loop of their own. Everything public may be called from any
thread.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from enum import Flag, auto
from typing import Any, TypeVar

# Seconds for which both ends of a lost connection believe in it, unless they end it themselves.
_LOST_FOR = 30.0
_CHUNK = 65_536
_Result = TypeVar("_Result")


class Direction(Flag):
    """Where bytes go."""

    TO_SERVER = auto()
    TO_CLIENT = auto()
    BOTH = TO_SERVER | TO_CLIENT


NOWHERE = Direction(0)


class _Connection:
    """One connection of a client, and the one that the proxy has made for it."""

    def __init__(self, proxy: "SwitchableProxy", client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self.client = client
        self.server = server
        self.opening = b""
        self.lost = NOWHERE

    def is_named(self, name: str) -> bool:
        """Tell whether the first bytes of the client hold the name: PostgreSQL's clients say what they are."""
        return name.encode() in self.opening

    def close(self) -> None:
        for writer in (self.client, self.server):
            with suppress(RuntimeError):
                writer.close()

    def abort(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


class SwitchableProxy:
    """Listens on ``port`` of 127.0.0.1, and passes bytes on to ``target``, a port of 127.0.0.1 as well."""

    def __init__(self, loop: asyncio.AbstractEventLoop, target: int) -> None:
        self.port = 0
        self._loop = loop
        self._target = target
        self._delay = 0.0
        self._refuses = False
        self._loses = NOWHERE
        self._loses_only = ""
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def switch_to(self, target: int) -> None:
        """Send new connections elsewhere, and cut those that are open."""

        async def switch() -> None:
            self._target = target
            self._cut("")

        self._run(switch())

    def cut(self, only: str = "") -> int:
        """End the open connections, or only those whose client calls itself so, and return how many."""

        async def cut() -> int:
            return self._cut(only)

        return self._run(cut())

    def refuse(self) -> None:
        """End the open connections and every new one at once, until :meth:`mend`."""

        async def refuse() -> None:
            self._refuses = True
            self._cut("")

        self._run(refuse())

    def delay(self, seconds: float) -> None:
        """Let all bytes take so many seconds more in each direction, until :meth:`mend`."""
        self._delay = seconds

    def lose(self, direction: Direction, only: str = "") -> None:
        """Lose what is sent in this direction, and tell nobody: half-open connections, until :meth:`mend`.

        ``only`` is for the connections whose client calls itself so.
        """

        async def lose() -> None:
            self._loses, self._loses_only = direction, only
            for connection in self._connections:
                if connection.is_named(only):
                    connection.lost |= direction

        self._run(lose())

    def mend(self) -> None:
        """Let everything pass that comes from now on. Connections that have lost bytes stay lost."""

        async def mend() -> None:
            self._delay, self._refuses, self._loses, self._loses_only = 0.0, False, NOWHERE, ""

        self._run(mend())

    def _run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _cut(self, only: str) -> int:
        chosen = [connection for connection in self._connections if connection.is_named(only)]
        for connection in chosen:
            connection.abort()
        return len(chosen)

    async def listen(self) -> None:
        """Begin. In the event loop."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    async def end(self) -> None:
        """End, with all connections. In the event loop."""
        assert self._server is not None
        self._server.close()
        self._cut("")
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self._refuses:
            client.transport.abort()
            return
        try:
            from_server, server = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            client.transport.abort()
            return
        connection = _Connection(self, client, server)
        if not self._loses_only:
            connection.lost = self._loses
        self._connections.add(connection)
        pumps = [
            asyncio.create_task(self._pump(connection, reader, server, Direction.TO_SERVER)),
            asyncio.create_task(self._pump(connection, from_server, client, Direction.TO_CLIENT)),
        ]
        self._tasks.update(pumps)
        done, _ = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        if connection.lost and done:
            # The other end is not told that this one has gone.
            await asyncio.wait(pumps, timeout=_LOST_FOR)
        for pump in pumps:
            pump.cancel()
        self._tasks.difference_update(pumps)
        self._connections.discard(connection)
        connection.close()

    async def _pump(
        self,
        connection: _Connection,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        direction: Direction,
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)
        passing = asyncio.create_task(self._pass_on(under_way, sink))
        self._tasks.add(passing)
        try:
            while data := await source.read(_CHUNK):
                if not connection.opening and direction is Direction.TO_SERVER:
                    connection.opening = data[:2048]
                    if self._loses and connection.is_named(self._loses_only):
                        connection.lost |= self._loses
                if direction not in connection.lost:
                    await under_way.put((self._loop.time() + self._delay, data))
            if direction not in connection.lost:
                await under_way.put((self._loop.time() + self._delay, b""))
                await passing
        except OSError:
            pass
        finally:
            passing.cancel()
            self._tasks.discard(passing)

    async def _pass_on(self, under_way: "asyncio.Queue[tuple[float, bytes]]", sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while True:
                due, data = await under_way.get()
                if (pause := due - self._loop.time()) > 0:
                    await asyncio.sleep(pause)
                if not data:
                    return
                sink.write(data)
                await sink.drain()


class Proxies:
    """The thread of all proxies."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._all: list[SwitchableProxy] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._thread.start()

    def to(self, target: int) -> SwitchableProxy:
        """Return a new proxy to this port."""
        proxy = SwitchableProxy(self._loop, target)
        asyncio.run_coroutine_threadsafe(proxy.listen(), self._loop).result(10)
        self._all.append(proxy)
        return proxy

    def close(self) -> None:
        """End them all."""

        async def end() -> None:
            for proxy in self._all:
                await proxy.end()

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@contextmanager
def running_proxies() -> Iterator[Proxies]:
    """Run proxies until the end of the block."""
    proxies = Proxies()
    try:
        yield proxies
    finally:
        proxies.close()
