"""Litestar applications behind access tokens.

Usage::

    app = Litestar(route_handlers, plugins=[Authentication(verifier)])

    @get("/v1/devices", guards=[require("devices:read")])
    async def devices(request: Request[Caller, str, State]) -> list[str]:
        request.user.tenant_id

Every path needs a token, also one that does not exist and the OpenAPI pages, but for route handlers with
``exclude_from_auth=True``. OpenAPI shows the security scheme ``bearerAuth``.
"""

from collections.abc import Callable
from copy import copy
from typing import Any

from sensos_auth.verifying.bearer import authenticate
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.errors import MissingToken
from sensos_auth.verifying.needed_scopes import NeededScopes
from sensos_auth.verifying.refusals import REASONS, refusal_for
from sensos_auth.verifying.verifier import Verifier

try:
    from litestar import Request, Response
    from litestar.config.app import AppConfig
    from litestar.connection import ASGIConnection
    from litestar.enums import ScopeType
    from litestar.exceptions import MethodNotAllowedException, NotFoundException, WebSocketException
    from litestar.exceptions.responses import create_exception_response
    from litestar.handlers import BaseRouteHandler
    from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult, DefineMiddleware
    from litestar.openapi.spec import Components, SecurityScheme
    from litestar.plugins import InitPlugin
    from litestar.types import ASGIApp
except ImportError as error:
    raise ImportError("sensos_auth.verifying.litestar needs Litestar: pip install 'sensos-auth[litestar]'") from error

__all__ = ["Authentication", "require"]

_Request = Request[Any, Any, Any]
_Connection = ASGIConnection[Any, Any, Any, Any]
_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1


class CallerMiddleware(AbstractAuthenticationMiddleware):
    """Makes the caller ``request.user``, and its token ID ``request.auth``. OPTIONS and HEAD are no exception.

    WebSockets are closed: one would outlive its token, and a revocation.
    """

    def __init__(self, app: ASGIApp, verifier: Verifier) -> None:
        super().__init__(app, exclude_http_methods=())
        self._verifier = verifier

    async def authenticate_request(self, connection: _Connection) -> AuthenticationResult:
        """Return the caller; raises what :func:`sensos_auth.verifying.authenticate` does."""
        if connection.scope["type"] != ScopeType.HTTP:
            raise WebSocketException(detail="a WebSocket would outlive its access token", code=_POLICY_VIOLATION)
        caller = _caller_of(connection, self._verifier)
        return AuthenticationResult(user=caller, auth=caller.token_id)


class Authentication(InitPlugin):
    """The plugin that closes an application: the middleware, the answers to refusals, and OpenAPI's security."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add everything to the application, before its own middleware."""
        app_config.middleware.insert(0, DefineMiddleware(CallerMiddleware, verifier=self._verifier))
        handlers = app_config.exception_handlers
        for exception in REASONS:
            handlers[exception] = _refuse
        # Where no route is found Litestar runs no middleware; and a handler by number goes before one by exception.
        for status, absent in ((404, NotFoundException), (405, MethodNotAllowedException)):
            key = status if status in handlers else absent
            handlers[key] = self._after_authentication(handlers.get(key) or create_exception_response)
        if app_config.openapi_config:
            scheme = SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")
            components = Components(security_schemes={"bearerAuth": scheme})
            config = app_config.openapi_config = copy(app_config.openapi_config)
            given = config.components
            config.components = [components, *(given if isinstance(given, list) else [given])]
            config.security = [*(config.security or []), {"bearerAuth": []}]
        return app_config

    def _after_authentication(
        self, otherwise: Callable[[_Request, Any], Response[Any]]
    ) -> Callable[[_Request, Exception], Response[Any]]:
        def answer(request: _Request, error: Exception) -> Response[Any]:
            if "route_handler" not in set(request.scope):
                try:
                    _caller_of(request, self._verifier)
                except Exception as refused:  # noqa: BLE001 - whatever it is, it is not a pass
                    return _refuse(request, refused)
            return otherwise(request, error)

        return answer


def require(scope: str) -> Callable[[_Connection, BaseRouteHandler], None]:
    """Return a guard that demands all the scopes, space-separated; raises InvalidInput if it is none."""
    needed = NeededScopes(scope)

    def guard(connection: _Connection, handler: BaseRouteHandler) -> None:  # noqa: ARG001 - Litestar's signature
        user = connection.scope.get("user")
        if not isinstance(user, Caller):  # the route is excluded from authentication, but not from this
            raise MissingToken("the request carries no access token")
        needed.check(user)

    return guard


def _caller_of(connection: _Connection, verifier: Verifier) -> Caller:
    return authenticate(verifier, connection.headers.getall("authorization", []))


def _refuse(request: _Request, error: Exception) -> Response[bytes]:  # noqa: ARG001 - Litestar's signature
    refusal = refusal_for(error)
    headers = dict(refusal.headers)
    return Response(refusal.body, status_code=refusal.status, media_type=headers.pop("content-type"), headers=headers)
