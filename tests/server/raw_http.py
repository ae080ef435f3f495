"""HTTP/1.1 byte by byte: sends what no HTTP library would, and reads what comes back."""

import contextlib
import socket
import time
from dataclasses import dataclass, field
from typing import Self

PATIENCE = 5.0  # seconds


@dataclass(frozen=True)
class RawAnswer:
    """One answer as it came. ``headers`` keeps the order and every repetition; names are lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of a header that may be there once."""
        values = [value for given, value in self.headers if given == name]
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None


@dataclass
class RawConnection:
    """A connection to the service. A context manager, so that it is closed."""

    port: int
    _socket: socket.socket = field(init=False)
    _received: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Send bytes. A service that has closed the connection meanwhile is no error: what it said is read later."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def end_sending(self) -> None:
        """Say that nothing more will come."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def read_answer(self, method: str = "GET", patience: float = PATIENCE) -> RawAnswer | None:
        """Return the next answer, or None when the service closes the connection without one."""
        self._socket.settimeout(patience)
        while b"\r\n\r\n" not in self._received:
            if not self._receive():
                assert not self._received, f"half an answer: {self._received!r}"
                return None
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version.startswith("HTTP/1."), status_line
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        answer = RawAnswer(int(status), headers, b"")
        has_body = method != "HEAD" and answer.status >= 200 and answer.status not in {204, 304}
        length = int(answer.header("content-length") or 0) if has_body else 0
        while len(self._received) < length:
            assert self._receive(), "the body is cut off"
        body, self._received = self._received[:length], self._received[length:]
        return RawAnswer(answer.status, headers, body)

    def is_closed(self, patience: float = PATIENCE) -> bool:
        """Tell whether the service closes the connection in time, and sends nothing more before."""
        self._socket.settimeout(patience)
        try:
            return not self._received and not self._receive()
        except TimeoutError:
            return False

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _receive(self) -> bool:
        try:
            data = self._socket.recv(65_536)
        except ConnectionResetError:
            return False
        self._received += data
        return bool(data)


@dataclass(frozen=True)
class Exchange:
    """What came of one request: the answer, if any; whether the connection was closed; in how many seconds."""

    answer: RawAnswer | None
    is_closed: bool
    seconds: float


def exchange(port: int, request: bytes, *, method: str = "GET", patience: float = PATIENCE) -> Exchange:
    """Send bytes on a connection of their own, and return what came of it.

    Whether the connection is closed is found out with a good request after the answer: it gets one, or it doesn't.
    """
    with RawConnection(port) as connection:
        started = time.perf_counter()
        connection.send(request)
        answer = connection.read_answer(method, patience)
        seconds = time.perf_counter() - started
        if answer is None:
            return Exchange(None, is_closed=True, seconds=seconds)
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        return Exchange(answer, connection.read_answer(patience=patience) is None, seconds)


def request_bytes(
    method: str = "GET",
    target: str | bytes = "/",
    headers: list[tuple[str | bytes, str | bytes]] | None = None,
    body: bytes = b"",
    *,
    version: bytes = b"HTTP/1.1",
) -> bytes:
    """Return a request exactly as told; Host comes first, and Content-Length is added where there is a body."""
    lines = [b" ".join((method.encode(), _bytes(target), version)), b"Host: 127.0.0.1"]
    lines += [_bytes(name) + b": " + _bytes(value) for name, value in headers or []]
    if body and not any(_bytes(name).lower() in {b"content-length", b"transfer-encoding"} for name, _ in headers or []):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
