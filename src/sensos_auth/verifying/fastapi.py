"""FastAPI endpoints behind access tokens.

One line for the application, one dependency for each endpoint::

    authentication = Authentication(app, verifier)

    @app.get("/v1/devices")
    def devices(caller: Annotated[Caller, authentication.require("devices:read")]) -> list[Device]: ...

Refusals are the contract's, byte for byte, and OpenAPI shows the security scheme ``bearerAuth`` with the scopes.
"""

from typing import Any

from sensos_auth.model.scope import normalize_scope
from sensos_auth.verifying.bearer import authenticate
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.refusals import REASONS, refusal_for
from sensos_auth.verifying.verifier import Verifier

try:
    from fastapi import FastAPI, Request, Response, WebSocketException, status
    from fastapi.openapi.models import HTTPBearer
    from fastapi.params import Security
    from fastapi.requests import HTTPConnection
    from fastapi.security import SecurityScopes
    from fastapi.security.base import SecurityBase
except ImportError as error:
    raise ImportError("sensos_auth.verifying.fastapi needs FastAPI: pip install 'sensos-auth[fastapi]'") from error


__all__ = ["Authentication", "CallerDependency"]


class CallerDependency(SecurityBase):
    """What ``Depends`` and ``Security`` are given: returns the caller, or raises what the application answers."""

    def __init__(self, verifier: Verifier) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="An access token of POST /v1/applications/token")
        self.scheme_name = "bearerAuth"
        self._verifier = verifier

    async def __call__(self, connection: HTTPConnection, needed: SecurityScopes) -> Caller:
        """Return the caller. Takes no time worth a thread: keys and token are in memory."""
        if connection.scope["type"] != "http":
            raise WebSocketException(status.WS_1008_POLICY_VIOLATION, "a WebSocket would outlive its access token")
        # Not connection.headers, which decodes every header to find one; ASGI writes their names in lower case.
        authorization = [value for name, value in connection.scope["headers"] if name == b"authorization"]
        return authenticate(self._verifier, authorization, scope=needed.scope_str)


class Authentication:
    """Authenticates the requests of one FastAPI application, which gets the handlers that answer refusals.

    ``caller`` is the dependency for endpoints that any access token opens, ``Depends(authentication.caller)``. A
    mounted sub-application needs an Authentication of its own, and WebSockets are closed.

    FastAPI parses a JSON body before it asks any dependency, so a malformed one gets FastAPI's 422 even without a
    token. To refuse before anything is read, or to close a whole application at once, add
    :class:`sensos_auth.verifying.AuthenticationMiddleware` as well.
    """

    def __init__(self, app: FastAPI, verifier: Verifier) -> None:
        for exception in REASONS:
            app.add_exception_handler(exception, _refuse)
        self.caller = CallerDependency(verifier)

    def require(self, scope: str) -> Any:  # noqa: ANN401 - what FastAPI's Security returns
        """Return what an endpoint that needs all the scopes, space-separated, is annotated with; raises InvalidInput.

        For routers and applications: ``dependencies=[authentication.require("devices:read")]``.
        """
        # Where no scope is set, FastAPI works out at each request that nothing is to be closed after it.
        return Security(self.caller, scopes=normalize_scope(scope).split(), scope="request")


async def _refuse(request: Request, error: Exception) -> Response:  # noqa: ARG001 - FastAPI's signature
    refusal = refusal_for(error)
    return Response(refusal.body, refusal.status, dict(refusal.headers))
