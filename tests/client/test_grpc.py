"""gRPC call credentials, on a real channel over TLS."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from sensos_auth.client import TokenSource
from sensos_auth.client.grpc import RenewWhenRefused, call_credentials
from sensos_auth.client.surroundings import Surroundings
from sensos_auth.testing import Fault, TokenServer
from tests.client.certificates import new_authority

METHOD = "/devices.Devices/Get"


@dataclass
class GrpcService:
    """A gRPC service, and the ``authorization`` of the calls that it got."""

    port: int
    authority: bytes
    seen: list[object] = field(default_factory=list)
    refused: set[object] = field(default_factory=set)

    def call(self, source: TokenSource) -> object:
        """Make one call."""
        credentials = grpc.composite_channel_credentials(
            grpc.ssl_channel_credentials(self.authority), call_credentials(source)
        )
        with grpc.secure_channel(f"localhost:{self.port}", credentials) as channel:
            method: Any = grpc.intercept_channel(channel, RenewWhenRefused(source)).unary_unary(METHOD)
            return method(b"1", timeout=10)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[GrpcService]:
    """Run a gRPC service for localhost."""
    authority = new_authority(tmp_path)
    with running(
        authority.file.read_bytes(), authority.server_pem(tmp_path, "localhost").read_bytes()
    ) as running_service:
        yield running_service


@contextmanager
def running(authority: bytes, pem: bytes) -> Iterator[GrpcService]:
    """Run a gRPC service with this key and certificate."""

    def get(request: bytes, context: grpc.ServicerContext) -> bytes:
        running_service.seen.append(authorization := dict(context.invocation_metadata()).get("authorization"))
        if authorization in running_service.refused:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid or expired access token")
        return request

    handlers: dict[str, Any] = {"Get": grpc.unary_unary_rpc_method_handler(get)}
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("devices.Devices", handlers),))
    running_service = GrpcService(
        server.add_secure_port("localhost:0", grpc.ssl_server_credentials([(pem, pem)])), authority
    )
    server.start()
    try:
        yield running_service
    finally:
        server.stop(None).wait()


def test_calls_carry_the_token(server: TokenServer, service: GrpcService) -> None:
    """As ``authorization`` metadata, to a service that was named."""
    source = TokenSource.from_env(server.environment, allowed_origins=[f"https://localhost:{service.port}"])
    assert service.call(source) == b"1"
    assert service.seen == [f"Bearer {source.token()}"]


def test_m13_other_services_see_no_token(server: TokenServer, service: GrpcService) -> None:
    """The call fails before anything is sent."""
    with pytest.raises(grpc.RpcError, match="not among the origins"):
        service.call(TokenSource.from_env(server.environment))
    assert (service.seen, server.token_requests) == ([], 0)


def test_without_a_token_the_call_fails(server: TokenServer, service: GrpcService) -> None:
    """With the error of the token source in its details."""
    server.fail_always(Fault(status=500))
    one_attempt = Surroundings(random=lambda: 1.0)  # the first pause would be longer than the patience
    origin = f"https://localhost:{service.port}"
    source = TokenSource.from_env(server.environment, allowed_origins=[origin], patience=1.2, surroundings=one_attempt)
    with pytest.raises(grpc.RpcError, match="status 500"):
        service.call(source)
    assert service.seen == []


def test_a_refused_token_is_renewed_and_the_call_repeated(server: TokenServer, service: GrpcService) -> None:
    """Once: a second refusal is the caller's."""
    source = TokenSource.from_env(server.environment, allowed_origins=[f"https://localhost:{service.port}"])
    service.refused.add(f"Bearer {source.token()}")
    assert service.call(source) == b"1"
    assert len(service.seen) == server.token_requests == 2

    class Everything(set[object]):
        def __contains__(self, _: object) -> bool:
            return True

    service.refused = Everything()
    with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
        service.call(source)
    assert len(service.seen) == 4
    assert server.token_requests == 3
