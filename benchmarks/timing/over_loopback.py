"""The service as it is started in production, asked through one kept-alive connection on the loopback interface."""

import re
import socket
from time import perf_counter_ns

from benchmarks.timing.planted_leak import sample_header
from sensos_auth.server.token_endpoint import PATH

_CHANGES = re.compile(rb"(?im)^(x-request-id|date): .*\r$")
_LARGEST_ANSWER = 64 * 1024


def message(body: bytes, *, leaky: bool = False) -> bytes:
    """Return the token request with this body, as it goes over the connection."""
    name, value = sample_header(leaky=leaky)
    head = b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n" % PATH.encode()
    return head + b"Content-Length: %d\r\n%s: %s\r\n\r\n" % (len(body), name, value) + body


class OverLoopback:
    """One connection to a server. Answers are compared byte for byte, but for request ID and date."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._expected: bytes | None = None

    async def measure(self, request: bytes) -> int:
        """Send a request that is refused; return the nanoseconds until the whole answer was there."""
        started = perf_counter_ns()
        self._socket.sendall(request)
        answer = self._socket.recv(_LARGEST_ANSWER)
        while not answer.endswith(b"}"):
            more = self._socket.recv(_LARGEST_ANSWER)
            if not more:
                raise SystemExit("The server closed the connection in the middle of an answer.")
            answer += more
        took = perf_counter_ns() - started
        self._compare(answer)
        return took

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _compare(self, answer: bytes) -> None:
        said = _CHANGES.sub(rb"\1", answer)
        if self._expected is None:
            assert said.startswith(b"HTTP/1.1 401 "), said
            self._expected = said
        if said != self._expected:
            raise SystemExit(f"Answers differ: {said!r} and {self._expected!r}")
