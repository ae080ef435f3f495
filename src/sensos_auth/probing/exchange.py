"""One request over a connection of its own, byte by byte, and the answer to it.

No HTTP client, because none sends what is sent here. Redirects are not followed, and there is no proxy in between.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from sensos_auth.probing.endpoint import Endpoint, Header, Request

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LARGEST_BODY = 262_144  # bytes of an answer that are looked at


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it came. ``headers`` keeps order and repetitions, names in lower case; the body may be cut off."""

    status: int
    headers: tuple[Header, ...]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Tell whether the service did what was asked (RFC 9110 section 15.3)."""
        return self.status // 100 == 2  # noqa: PLR2004 - the class of the status

    def values(self, name: str) -> list[str]:
        """Return the values of all headers of this name (lower case)."""
        return [value for given, value in self.headers if given == name]


class Silence(StrEnum):
    """Why there is no answer, in words."""

    UNREACHABLE = "no connection"
    UNTRUSTED = "its TLS certificate is not trusted"
    CLOSED = "the connection was closed without an answer"
    LATE = "no whole answer in time"
    NOT_HTTP = "what came back is not HTTP"


Send = Callable[[Request], Answer | Silence]


def sender(endpoint: Endpoint, *, timeout: float) -> Send:
    """Return what sends a request to the endpoint's host and waits for the answer, ``timeout`` seconds in all.

    TLS certificates are verified by the system's authorities, or by those that SSL_CERT_FILE names.
    """
    context = ssl.create_default_context() if endpoint.scheme == "https" else None

    def send(request: Request) -> Answer | Silence:
        end = time.monotonic() + timeout
        try:
            with _connect(endpoint, context, timeout) as connection:
                with suppress(BrokenPipeError, ConnectionResetError):  # refused before all was sent: the answer tells
                    connection.sendall(request.to_bytes())
                return _read(connection, request.method, end)
        except ssl.SSLCertVerificationError:
            return Silence.UNTRUSTED
        except TimeoutError:
            return Silence.LATE
        except (OSError, UnicodeError):
            return Silence.UNREACHABLE

    return send


def _connect(endpoint: Endpoint, context: ssl.SSLContext | None, timeout: float) -> socket.socket:
    connection = socket.create_connection((endpoint.host, endpoint.port), timeout)
    if context is None:
        return connection
    try:
        return context.wrap_socket(connection, server_hostname=endpoint.host)
    except BaseException:
        connection.close()
        raise


def _read(connection: socket.socket, method: str, end: float) -> Answer | Silence:
    # All that HTTPResponse asks of a socket is makefile, and _Arriving gives it.
    response = http.client.HTTPResponse(cast("socket.socket", _Arriving(connection, end)), method=method)
    try:
        response.begin()
        headers = tuple((name.lower(), value) for name, value in response.getheaders())
        body = _body(response)
    except (http.client.RemoteDisconnected, ConnectionError):
        return Silence.CLOSED
    except (http.client.HTTPException, ValueError):
        return Silence.NOT_HTTP
    finally:
        response.close()
    return Answer(response.status, headers, body)


def _body(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(LARGEST_BODY)
    except http.client.IncompleteRead as cut_off:
        return cut_off.partial


class _Arriving(io.RawIOBase):
    """The bytes that arrive on a connection until ``end`` (monotonic seconds), then TimeoutError."""

    def __init__(self, connection: socket.socket, end: float) -> None:
        super().__init__()
        self._connection = connection
        self._end = end

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        try:
            return self._connection.recv_into(buffer)
        except ssl.SSLEOFError:  # closed without a word of TLS: an end, as without TLS
            return 0
