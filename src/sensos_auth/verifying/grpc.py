"""gRPC servers behind access tokens.

Usage::

    server = grpc.server(executor, interceptors=[AuthenticationInterceptor(verifier)])
    server = grpc.aio.server(interceptors=[AsyncAuthenticationInterceptor(verifier)])

    class Devices(DevicesServicer):
        @require("devices:read")
        def List(self, request, context):
            current_caller().tenant_id

Every method needs a token in the metadata ``authorization``, in the form of HTTP, ``Bearer …``; also one that does not
exist. A refusal is UNAUTHENTICATED, PERMISSION_DENIED or UNAVAILABLE, with the message that HTTP clients get.
"""

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterator
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar, cast

import msgspec

from sensos_auth.verifying.bearer import authenticate
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.errors import InsufficientScope
from sensos_auth.verifying.needed_scopes import NeededScopes
from sensos_auth.verifying.refusals import refusal_for
from sensos_auth.verifying.verifier import Verifier

try:
    import grpc
    import grpc.aio
except ImportError as error:
    raise ImportError("sensos_auth.verifying.grpc needs grpcio: pip install 'sensos-auth[grpc]'") from error

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["AsyncAuthenticationInterceptor", "AuthenticationInterceptor", "current_caller", "require"]

_Method = TypeVar("_Method", bound=Callable[..., Any])
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic for type checkers only
_CODES = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    503: grpc.StatusCode.UNAVAILABLE,
}
_caller: ContextVar[Caller] = ContextVar("sensos_auth_caller")


def current_caller() -> Caller:
    """Return the caller of the call that this code serves; raises LookupError outside of one, and in open methods."""
    return _caller.get()


class AuthenticationInterceptor(grpc.ServerInterceptor):
    """Lets a call through with its caller as :func:`current_caller`, or refuses it, before its messages are read.

    ``open_methods`` are the full names of methods that need no token, such as ``"/grpc.health.v1.Health/Check"``.
    """

    def __init__(self, verifier: Verifier, *, open_methods: Collection[str] = ()) -> None:
        self._verifier = verifier
        self._open_methods = frozenset(open_methods)

    def intercept_service(
        self, continuation: "Callable[[grpc.HandlerCallDetails], _Handler | None]", details: grpc.HandlerCallDetails
    ) -> "_Handler | None":
        """Return the handler of the call, or one that refuses it."""
        if details.method in self._open_methods:
            return continuation(details)
        try:
            caller = _authenticate(self._verifier, details)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not a pass
            code, message = _status_of(error)

            def refuse(_: Iterator[bytes], context: grpc.ServicerContext) -> NoReturn:
                context.abort(code, message)

            return grpc.stream_stream_rpc_method_handler(cast("Any", refuse))
        handler = continuation(details)
        return None if handler is None else _called_by(caller, handler)


class AsyncAuthenticationInterceptor(grpc.aio.ServerInterceptor):
    """What AuthenticationInterceptor is to ``grpc.server``, to ``grpc.aio.server``. Its methods are coroutines."""

    def __init__(self, verifier: Verifier, *, open_methods: Collection[str] = ()) -> None:
        self._verifier = verifier
        self._open_methods = frozenset(open_methods)

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]]",
        details: grpc.HandlerCallDetails,
    ) -> "_Handler | None":
        """Return the handler of the call, or one that refuses it."""
        if details.method in self._open_methods:
            return await continuation(details)
        try:
            caller = _authenticate(self._verifier, details)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not a pass
            code, message = _status_of(error)

            async def refuse(_: AsyncIterator[bytes], context: Any) -> None:  # noqa: ANN401 - of four kinds
                await context.abort(code, message)

            return grpc.stream_stream_rpc_method_handler(cast("Any", refuse))
        _caller.set(caller)  # each call is a task of its own
        return await continuation(details)


def require(scope: str) -> Callable[[_Method], _Method]:
    """Return a decorator for methods that need all the scopes, space-separated; raises InvalidInput if it is none.

    For functions and methods whose last argument is the context, of any kind, behind an interceptor of this module;
    without one they fail, and let nobody in.
    """
    needed = NeededScopes(scope)

    def guard(method: _Method) -> _Method:
        if inspect.isasyncgenfunction(method):

            @functools.wraps(method)
            async def guarded_stream(*args: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - of four kinds
                await _demand_in_task(needed, args[-1])
                async for answer in method(*args):
                    yield answer

            return cast("_Method", guarded_stream)
        if inspect.iscoroutinefunction(method):

            @functools.wraps(method)
            async def guarded_coroutine(*args: Any) -> Any:  # noqa: ANN401 - as above
                await _demand_in_task(needed, args[-1])
                return await method(*args)

            return cast("_Method", guarded_coroutine)

        @functools.wraps(method)
        def guarded(*args: Any) -> Any:  # noqa: ANN401 - as above
            try:
                needed.check(current_caller())
            except InsufficientScope as error:
                args[-1].abort(*_status_of(error))
            return method(*args)

        return cast("_Method", guarded)

    return guard


async def _demand_in_task(needed: NeededScopes, context: Any) -> None:  # noqa: ANN401 - of four kinds
    try:
        needed.check(current_caller())
    except InsufficientScope as error:
        await context.abort(*_status_of(error))


def _authenticate(verifier: Verifier, details: grpc.HandlerCallDetails) -> Caller:
    return authenticate(verifier, [value for key, value in details.invocation_metadata if key == "authorization"])


def _status_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    refusal = refusal_for(error)
    return _CODES[refusal.status], msgspec.json.decode(refusal.body)["message"]


def _called_by(caller: Caller, handler: _Handler) -> _Handler:
    """Return the handler with its caller: it runs in a thread of gRPC's, which has no context of the call."""
    context = copy_context()
    context.run(_caller.set, caller)

    def answering(method: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: context.run(method, *args)

    def streaming(method: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        return lambda *args: _within(context, context.run(method, *args))

    kinds: dict[tuple[bool, bool], tuple[Callable[..., _Handler], Callable[..., Any], Any]] = {
        (False, False): (grpc.unary_unary_rpc_method_handler, answering, handler.unary_unary),
        (False, True): (grpc.unary_stream_rpc_method_handler, streaming, handler.unary_stream),
        (True, False): (grpc.stream_unary_rpc_method_handler, answering, handler.stream_unary),
        (True, True): (grpc.stream_stream_rpc_method_handler, streaming, handler.stream_stream),
    }
    make, wrap, method = kinds[handler.request_streaming, handler.response_streaming]
    return make(wrap(method), handler.request_deserializer, handler.response_serializer)


def _within(context: Context, answers: Iterator[Any]) -> Iterator[Any]:
    iterator = iter(answers)
    end = object()
    try:
        while (answer := context.run(next, iterator, end)) is not end:
            yield answer
    finally:
        if isinstance(iterator, Generator):
            context.run(iterator.close)  # a client went away: what the method has to clear up knows the caller, too
