"""One way to ask them all: services behind HTTP and gRPC, and the answers that the contract has for a request."""

import socket
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection
from typing import Protocol, cast

import grpc
import pytest

from tests.server.raw_http import RawAnswer, RawConnection, request_bytes

INVALID_OR_EXPIRED = "Invalid or expired access token"
LACKS_SCOPE = "The access token lacks a scope that this request needs"
UNAVAILABLE = "Access tokens cannot be verified right now: try again later"
SCOPE = "vehicles:read"
VERIFY_PATH = "/v1/verify"

_PHRASES = {401: "Unauthorized", 403: "Forbidden", 503: "Service Unavailable"}
_CODES = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    503: grpc.StatusCode.UNAVAILABLE,
}


class ProtectedService(Protocol):
    """A service with an operation for any token, and one that needs SCOPE. ``authorization`` are header values."""

    def lets_in(self, *authorization: str, scoped: bool = False) -> bytes:
        """Return what it answers; fail if it refuses."""

    def refuses(self, *authorization: str, status: int = 401, challenge: str = "", scoped: bool = False) -> None:
        """Fail unless it refuses by the contract; ``challenge`` is what follows ``Bearer`` in WWW-Authenticate."""


@dataclass(frozen=True)
class HttpService:
    """A service behind HTTP."""

    port: int
    path: str
    scoped_path: str

    def ask(self, request: bytes, method: str = "GET") -> RawAnswer:
        """Return the answer to a request of these bytes, on a connection of its own."""
        with RawConnection(self.port) as connection:
            connection.send(request)
            answer = connection.read_answer(method)
        assert answer is not None, "the connection was closed without an answer"
        return answer

    def get(self, *headers: tuple[str, str], path: str = "", method: str = "GET") -> RawAnswer:
        """Return the answer to a request with these headers."""
        return self.ask(request_bytes(method, path or self.path, [*headers]), method)

    def lets_in(self, *authorization: str, scoped: bool = False) -> bytes:
        """Return the headers and the body of the answer."""
        path = self.scoped_path if scoped else self.path
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.putrequest("GET", path)
            for value in authorization:
                connection.putheader("Authorization", value)
            connection.endheaders()
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            return str(answer.headers).encode() + answer.read()

    def refuses(self, *authorization: str, status: int = 401, challenge: str = "", scoped: bool = False) -> None:
        """Fail unless the answer is the contract's, byte for byte."""
        path = self.scoped_path if scoped else self.path
        answer = self.get(*(("Authorization", value) for value in authorization), path=path)
        assert_refusal(answer, status, challenge)


def assert_refusal(answer: RawAnswer, status: int, challenge: str, *, is_head: bool = False) -> None:
    """Fail unless status, body and each header that matters are the contract's."""
    message = {401: INVALID_OR_EXPIRED, 403: LACKS_SCOPE, 503: UNAVAILABLE}[status]
    body = f'{{"error":"{_PHRASES[status]}","message":"{message}"}}'.encode()
    assert (answer.status, answer.body) == (status, b"" if is_head else body)
    assert answer.header("content-type") == "application/json"
    assert answer.header("cache-control") == "no-store"
    if not is_head:
        assert answer.header("content-length") == str(len(body))
    if status == 503:
        assert (answer.header("www-authenticate"), answer.header("retry-after")) == (None, "2")
    else:
        assert answer.header("www-authenticate") == f"Bearer{challenge}"


@dataclass(frozen=True)
class GrpcService:
    """A service behind gRPC."""

    port: int

    @cached_property
    def _channel(self) -> grpc.Channel:
        return grpc.insecure_channel(f"127.0.0.1:{self.port}")

    def call(self, method: str, authorization: Sequence[str]) -> bytes:
        """Return the answer to a call; raises grpc.RpcError."""
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(f"/fleet.v1.Fleet/{method}")
        return call(b"", metadata=tuple(("authorization", value) for value in authorization), timeout=10)

    def lets_in(self, *authorization: str, scoped: bool = False) -> bytes:
        """Return the answer."""
        return self.call("Vehicles" if scoped else "WhoAmI", authorization)

    def refuses(self, *authorization: str, status: int = 401, challenge: str = "", scoped: bool = False) -> None:
        """Fail unless the status is the contract's, with the message that HTTP has."""
        del challenge  # has no place in gRPC
        self.refuses_method("Vehicles" if scoped else "WhoAmI", *authorization, status=status)

    def refuses_method(self, method: str, *authorization: str, status: int = 401) -> None:
        """Fail unless a call to this method is refused by the contract."""
        message = {401: INVALID_OR_EXPIRED, 403: LACKS_SCOPE, 503: UNAVAILABLE}[status]
        with pytest.raises(grpc.RpcError) as refused:
            self.call(method, authorization)
        answer = cast("grpc.Call", refused.value)
        assert (answer.code(), answer.details()) == (_CODES[status], message)


def websocket_status(service: HttpService, *headers: tuple[str, str]) -> bytes:
    """Return the status line that an attempt to open a WebSocket gets."""
    upgrade = [
        *(("Upgrade", "websocket"), ("Connection", "Upgrade")),
        *(("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")),
    ]
    with socket.create_connection(("127.0.0.1", service.port), 5) as connection:
        connection.sendall(request_bytes("GET", service.path, [*upgrade, *headers]))
        return connection.recv(65_536).partition(b"\r\n")[0]
