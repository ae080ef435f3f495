import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event
from time import sleep
from typing import Any, cast

import grpc
import grpc.aio
import pytest

from sensos_auth.model.errors import InvalidInput
from sensos_auth.verifying.grpc import (
    AsyncAuthenticationInterceptor,
    AuthenticationInterceptor,
    current_caller,
    require,
)
from tests.verifying.issued import APPLICATION, GOOD_TOKEN, KEY, VERIFIER

GOOD = (("authorization", f"Bearer {GOOD_TOKEN}"),)
OTHER = (("authorization", f"Bearer {KEY.token(client_id='app_other', sub='app_other', scope=...)}"),)
Channel = Any  # the stubs cannot tell the types of calls without generated code
OPEN = "/fleet.v1.Fleet/Open"


def _answer() -> bytes:
    return current_caller().application_id.encode()


CLEARED_UP: SimpleQueue[bytes] = SimpleQueue()


class _Fleet:
    @require("devices:read")
    def unary_unary(self, _: bytes, __: grpc.ServicerContext) -> bytes:
        return _answer()

    @require("devices:read")
    def unary_stream(self, _: bytes, __: grpc.ServicerContext) -> Iterator[bytes]:
        for _n in range(3):
            yield _answer()

    @require("devices:read")
    def stream_unary(self, requests: Iterator[bytes], _: grpc.ServicerContext) -> bytes:
        assert list(requests) == [b"1", b"2"]
        return _answer()

    @require("devices:read")
    def stream_stream(self, requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        for _n in requests:
            yield _answer()

    @require("devices:read")
    def endless(self, _: bytes, __: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            while True:
                sleep(0.01)
                yield b""
        finally:
            CLEARED_UP.put(_has_caller())


class _AsyncFleet:
    @require("devices:read")
    async def unary_unary(self, _: bytes, __: object) -> bytes:
        await asyncio.sleep(0)
        return _answer()

    @require("devices:read")
    async def unary_stream(self, _: bytes, __: object) -> AsyncIterator[bytes]:
        for _n in range(3):
            await asyncio.sleep(0)
            yield _answer()

    @require("devices:read")
    async def stream_unary(self, requests: AsyncIterator[bytes], _: object) -> bytes:
        assert [request async for request in requests] == [b"1", b"2"]
        return _answer()

    @require("devices:read")
    async def stream_stream(self, requests: AsyncIterator[bytes], _: object) -> AsyncIterator[bytes]:
        async for _n in requests:
            yield _answer()

    @require("devices:read")
    async def endless(self, _: bytes, __: object) -> AsyncIterator[bytes]:
        try:
            while True:
                await asyncio.sleep(0.01)
                yield b""
        finally:
            CLEARED_UP.put(_has_caller())


def _handlers(fleet: Any, open_method: Callable[..., Any]) -> grpc.GenericRpcHandler:  # noqa: ANN401 - sync or async
    return grpc.method_handlers_generic_handler(
        "fleet.v1.Fleet",
        {
            "UnaryUnary": grpc.unary_unary_rpc_method_handler(fleet.unary_unary),
            "UnaryStream": grpc.unary_stream_rpc_method_handler(fleet.unary_stream),
            "StreamUnary": grpc.stream_unary_rpc_method_handler(fleet.stream_unary),
            "StreamStream": grpc.stream_stream_rpc_method_handler(fleet.stream_stream),
            "Endless": grpc.unary_stream_rpc_method_handler(fleet.endless),
            "Open": grpc.unary_unary_rpc_method_handler(open_method),
        },
    )


def _has_caller(*_: object) -> bytes:
    try:
        return _answer()
    except LookupError:
        return b"nobody"


async def _has_caller_async(*_: object) -> bytes:
    return _has_caller()


@contextmanager
def _sync_server() -> Iterator[int]:
    interceptor = AuthenticationInterceptor(VERIFIER, open_methods=[OPEN])
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[interceptor])
    server.add_generic_rpc_handlers([_handlers(_Fleet(), _has_caller)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(None).wait()


@contextmanager
def _async_server() -> Iterator[int]:
    async def start() -> tuple[grpc.aio.Server, int]:
        interceptor = AsyncAuthenticationInterceptor(VERIFIER, open_methods=[OPEN])
        server = grpc.aio.server(interceptors=[interceptor])
        server.add_generic_rpc_handlers([_handlers(_AsyncFleet(), _has_caller_async)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port

    with ThreadPoolExecutor(1) as thread, asyncio.Runner() as runner:
        server, port = thread.submit(runner.run, start()).result()
        stop = asyncio.Event()
        serving = thread.submit(runner.run, stop.wait())
        try:
            yield port
        finally:
            runner.get_loop().call_soon_threadsafe(stop.set)
            serving.result()
            thread.submit(runner.run, server.stop(None)).result()


@pytest.fixture(scope="module", params=[_sync_server, _async_server], ids=["sync", "aio"])
def channel(request: pytest.FixtureRequest) -> Iterator[Channel]:
    """Return a channel to a server of each kind."""
    with request.param() as port, grpc.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened


def _call(channel: Channel, method: str, metadata: tuple[tuple[str, str], ...]) -> list[bytes]:
    path = f"/fleet.v1.Fleet/{method}"
    match method:
        case "UnaryStream":
            return list(channel.unary_stream(path)(b"", metadata=metadata, timeout=5))
        case "StreamUnary":
            return [channel.stream_unary(path)(iter([b"1", b"2"]), metadata=metadata, timeout=5)]
        case "StreamStream":
            return list(channel.stream_stream(path)(iter([b"1", b"2", b"3"]), metadata=metadata, timeout=5))
        case _:
            return [channel.unary_unary(path)(b"", metadata=metadata, timeout=5)]


def _refused(channel: Channel, method: str, metadata: tuple[tuple[str, str], ...] = ()) -> tuple[object, object]:
    with pytest.raises(grpc.RpcError) as refused:
        _call(channel, method, metadata)
    answer = cast("grpc.Call", refused.value)
    return answer.code(), answer.details()


KINDS = ["UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream"]


@pytest.mark.parametrize("method", KINDS)
def test_caller_is_known_throughout_a_call(channel: Channel, method: str) -> None:
    """In methods of all four kinds, at each of their messages."""
    assert set(_call(channel, method, GOOD)) == {APPLICATION.encode()}


@pytest.mark.parametrize("method", KINDS)
def test_no_token_and_no_scope(channel: Channel, method: str) -> None:
    """Of all four kinds."""
    assert _refused(channel, method) == (grpc.StatusCode.UNAUTHENTICATED, "Invalid or expired access token")
    denied = (grpc.StatusCode.PERMISSION_DENIED, "The access token lacks a scope that this request needs")
    assert _refused(channel, method, OTHER) == denied


def test_refusal_does_not_wait_for_messages(channel: Channel) -> None:
    """A client that would stream for ever is refused before its first message."""
    ended = Event()

    def never() -> Iterator[bytes]:
        ended.wait(5)
        yield b"too late"

    refused = channel.stream_unary("/fleet.v1.Fleet/StreamUnary").future(never(), timeout=5)
    code = cast("grpc.Call", refused.exception(4)).code()
    ended.set()
    assert code is grpc.StatusCode.UNAUTHENTICATED


def test_callers_of_calls_do_not_mix(channel: Channel) -> None:
    """Though threads and event loop serve many at once, and the same ones again."""
    colleague = (("authorization", f"Bearer {KEY.token(client_id='app_colleague', sub='app_colleague')}"),)

    def ask(number: int) -> None:
        metadata, name = ((GOOD, APPLICATION), (colleague, "app_colleague"))[number % 2]
        for method in KINDS:
            assert set(_call(channel, method, metadata)) == {name.encode()}
            assert _refused(channel, method)[0] is grpc.StatusCode.UNAUTHENTICATED

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(ask, range(12)))


def test_caller_is_known_when_a_client_goes_away(channel: Channel) -> None:
    """What a method clears up when its call ends early is done in the name of its caller."""
    call = channel.unary_stream("/fleet.v1.Fleet/Endless")(b"", metadata=GOOD, timeout=5)
    next(call)
    call.cancel()
    assert CLEARED_UP.get(timeout=4) == APPLICATION.encode()


def test_open_methods_need_no_token(channel: Channel) -> None:
    """By their full name. They know no caller, and none is left over from other calls."""
    for metadata in ((), GOOD, (("authorization", "Bearer x"),)):
        assert _call(channel, "UnaryUnary", GOOD) == [APPLICATION.encode()]
        assert _call(channel, "Open", metadata) == [b"nobody"]


def test_g11_other_metadata_is_not_looked_at(channel: Channel) -> None:
    """Only the key authorization counts."""
    for key in ("proxy-authorization", "x-authorization", "authorization_", "token"):
        assert _refused(channel, "UnaryUnary", ((key, GOOD[0][1]),))[0] is grpc.StatusCode.UNAUTHENTICATED


def test_no_caller_outside_of_a_call() -> None:
    """Code that runs outside of one is told so."""
    with pytest.raises(LookupError):
        current_caller()


def test_scope_must_be_one() -> None:
    """A misspelt scope is found when the server starts."""
    with pytest.raises(InvalidInput):
        require('a"b')
