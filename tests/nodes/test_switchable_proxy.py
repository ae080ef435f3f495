"""The proxy of the fault test breaks connections as it says."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.nodes.switchable_proxy import Direction, Proxies, SwitchableProxy, running_proxies


class Echo:
    """A server that sends back what it gets, with a mark of its own in front."""

    def __init__(self, mark: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._mark = mark
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(100):
                connection.sendall(self._mark + data)

    def close(self) -> None:
        """Accept no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    """Return a server."""
    server = Echo(b"1:")
    yield server
    server.close()


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    """Return the thread of the proxies."""
    with running_proxies() as running:
        yield running


@pytest.fixture
def proxy(echo: Echo, proxies: Proxies) -> SwitchableProxy:
    """Return a proxy to the server."""
    return proxies.to(echo.port)


_open: list[socket.socket] = []


@pytest.fixture(autouse=True)
def _sockets() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


def opened(proxy: SwitchableProxy) -> socket.socket:
    """Return a connection, which is closed after the test."""
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=2)
    _open.append(connection)
    return connection


def connect(proxy: SwitchableProxy, name: bytes = b"") -> socket.socket:
    """Return a connection of a client that has said something."""
    connection = opened(proxy)
    assert ask(connection, name + b"hello") == b"1:" + name + b"hello"
    return connection


def ask(connection: socket.socket, data: bytes) -> bytes:
    """Return what comes back."""
    connection.sendall(data)
    return connection.recv(100)


def assert_ended(connection: socket.socket) -> None:
    """Assert that the other end has gone."""
    with suppress(ConnectionError):
        assert connection.recv(1) == b""


def test_cut_ends_the_connections_and_lets_new_ones_come(proxy: SwitchableProxy) -> None:
    """Once."""
    connection = connect(proxy)
    assert proxy.cut() == 1
    assert_ended(connection)
    connect(proxy)


def test_cut_ends_only_those_of_a_name(proxy: SwitchableProxy) -> None:
    """As PostgreSQL's clients say what they are in their first message."""
    follower, other = connect(proxy, b"application_name\0follower\0"), connect(proxy)
    assert proxy.cut("follower") == 1
    assert_ended(follower)
    assert ask(other, b"x") == b"1:x"


def test_refused_until_mended(proxy: SwitchableProxy) -> None:
    """What is open ends, what is new ends at once."""
    connection = connect(proxy)
    proxy.refuse()
    assert_ended(connection)
    assert_ended(opened(proxy))
    proxy.mend()
    connect(proxy)


@pytest.mark.parametrize("direction", [Direction.BOTH, Direction.TO_SERVER, Direction.TO_CLIENT], ids=lambda d: d.name)
def test_lost_bytes_are_told_to_nobody(proxy: SwitchableProxy, direction: Direction) -> None:
    """The connection stays lost when all is mended, and new ones are whole."""
    connection = connect(proxy)
    proxy.lose(direction)
    connection.settimeout(0.2)
    with pytest.raises(TimeoutError):
        ask(connection, b"x")
    proxy.mend()
    with pytest.raises(TimeoutError):
        ask(connection, b"x")
    connect(proxy)


def test_new_connections_are_lost_as_well_but_not_those_of_another_name(proxy: SwitchableProxy) -> None:
    """The name decides as soon as it is said."""
    proxy.lose(Direction.BOTH, "follower")
    connect(proxy)
    with pytest.raises(TimeoutError):
        connect(proxy, b"follower")


def test_delay_is_that_of_each_direction(proxy: SwitchableProxy) -> None:
    """There and back takes twice as long."""
    connection = connect(proxy)
    proxy.delay(0.1)
    began = time.monotonic()
    assert ask(connection, b"x") == b"1:x"
    assert 0.2 <= time.monotonic() - began < 0.6


def test_switched_to_another_server(proxy: SwitchableProxy) -> None:
    """The connections to the first one end."""
    connection, other = connect(proxy), Echo(b"2:")
    proxy.switch_to(other.port)
    assert_ended(connection)
    assert ask(opened(proxy), b"x") == b"2:x"
    other.close()


def test_end_of_either_side_reaches_the_other(proxy: SwitchableProxy, echo: Echo) -> None:
    """And a server that is away ends the client's connection."""
    connection = connect(proxy)
    connection.shutdown(socket.SHUT_WR)
    assert_ended(connection)
    echo.close()
    assert_ended(opened(proxy))
