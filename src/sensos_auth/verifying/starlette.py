"""Starlette applications behind access tokens, by Starlette's own AuthenticationMiddleware.

Usage::

    app = Starlette(
        routes=routes,
        middleware=[Middleware(AuthenticationMiddleware, backend=CallerBackend(verifier), on_error=refuse)],
    )

    @require("devices:read")
    async def devices(request: Request) -> Response:
        request.user.caller.tenant_id, request.auth.scopes

Every path needs a token, also one that does not exist. Starlette's own ``@requires("devices:read")`` works as well;
``Starlette(exception_handlers={403: refuse})`` gives its refusals the contract's body, though not the scope's name.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar, cast, overload

from sensos_auth.verifying.bearer import authenticate
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.errors import InsufficientScope
from sensos_auth.verifying.needed_scopes import NeededScopes
from sensos_auth.verifying.refusals import refusal_for
from sensos_auth.verifying.verifier import Verifier

try:
    from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, BaseUser
    from starlette.exceptions import HTTPException
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response
except ImportError as error:
    raise ImportError(
        "sensos_auth.verifying.starlette needs Starlette: pip install 'sensos-auth[starlette]'"
    ) from error

__all__ = ["CallerBackend", "CallerUser", "refuse", "require"]

_Parameters = ParamSpec("_Parameters")
_Answer = TypeVar("_Answer", bound=Response)


class CallerUser(BaseUser):
    """What ``request.user`` is: the caller, as Starlette wants its users."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    @property
    def is_authenticated(self) -> bool:
        """Return True: whoever is not, does not get this far."""
        return True

    @property
    def identity(self) -> str:
        """Return the application ID."""
        return self.caller.application_id

    @property
    def display_name(self) -> str:
        """Return the application ID."""
        return self.caller.application_id


class Refused(AuthenticationError):
    """The request is refused; ``reason`` is the exception of :mod:`sensos_auth.verifying` that says why."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


class CallerBackend(AuthenticationBackend):
    """Makes the caller ``request.user``, a CallerUser, and its scopes ``request.auth.scopes``; nobody is anonymous.

    WebSockets are closed: one would outlive its token, and a revocation.
    """

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, CallerUser]:
        """Return the scopes and the user; raises Refused."""
        if conn.scope["type"] != "http":
            raise Refused(NotImplementedError("a WebSocket would outlive its access token"))
        try:
            caller = authenticate(self._verifier, conn.headers.getlist("authorization"))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not a pass
            raise Refused(error) from None
        return AuthCredentials(sorted(caller.scopes)), CallerUser(caller)


def refuse(connection: HTTPConnection, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    """Return the contract's answer: the ``on_error`` of the middleware, and a handler for exceptions."""
    if isinstance(error, Refused):
        error = error.reason
    elif isinstance(error, HTTPException):
        error = InsufficientScope("")
    refusal = refusal_for(error)
    return Response(refusal.body, refusal.status, dict(refusal.headers))


class require:  # noqa: N801 - a decorator
    """Lets only callers with all the scopes, space-separated, reach an endpoint; raises InvalidInput if it is none."""

    def __init__(self, scope: str) -> None:
        self._needed = NeededScopes(scope)

    @overload
    def __call__(
        self, endpoint: Callable[_Parameters, Awaitable[_Answer]]
    ) -> Callable[_Parameters, Awaitable[_Answer | Response]]: ...

    @overload
    def __call__(self, endpoint: Callable[_Parameters, _Answer]) -> Callable[_Parameters, _Answer | Response]: ...

    def __call__(self, endpoint: Callable[_Parameters, object]) -> Callable[_Parameters, object]:
        """Return the endpoint, a function or a method of an HTTPEndpoint, guarded."""
        if inspect.iscoroutinefunction(endpoint):
            asynchronous = cast("Callable[_Parameters, Awaitable[object]]", endpoint)

            @functools.wraps(endpoint)
            async def guarded(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> object:
                return self._refusal(*args) or await asynchronous(*args, **kwargs)

            return guarded

        @functools.wraps(endpoint)
        def guarded_in_thread(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> object:
            return self._refusal(*args) or endpoint(*args, **kwargs)

        return guarded_in_thread

    def _refusal(self, *args: object) -> Response | None:
        (request,) = (argument for argument in args if isinstance(argument, Request))
        try:
            self._needed.check(request.user.caller)
        except InsufficientScope as error:
            return refuse(request, error)
        return None
