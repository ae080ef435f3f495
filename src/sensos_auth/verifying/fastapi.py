"""FastAPI endpoints behind access tokens.

One line for the application, one dependency for each endpoint::

    authentication = Authentication(app, verifier)

    @app.get("/v1/devices")
    def devices(caller: Annotated[Caller, Depends(authentication.requires("devices:read"))]) -> list[Device]: ...

Refusals are the contract's, byte for byte, and OpenAPI shows the security scheme ``bearerAuth``.
"""

from sensos_auth.model.scope import normalize_scope
from sensos_auth.verifying.bearer import authenticate
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.errors import InsufficientScope, InvalidToken, KeysUnavailable, MissingToken
from sensos_auth.verifying.refusals import refusal_for
from sensos_auth.verifying.verifier import Verifier

try:
    from fastapi import FastAPI, Request, Response, WebSocketException, status
    from fastapi.openapi.models import HTTPBearer
    from fastapi.requests import HTTPConnection
    from fastapi.security.base import SecurityBase
except ImportError as error:
    raise ImportError("sensos_auth.verifying.fastapi needs FastAPI: pip install 'sensos-auth[fastapi]'") from error


class CallerDependency(SecurityBase):
    """What ``Depends`` is given: returns the Caller of a request, or raises what the application answers."""

    def __init__(self, verifier: Verifier, scope: str) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="An access token of POST /v1/applications/token")
        self.scheme_name = "bearerAuth"
        self._verifier = verifier
        self._scope = scope

    async def __call__(self, connection: HTTPConnection) -> Caller:
        """Return the caller. Takes no time worth a thread: keys and token are in memory."""
        if connection.scope["type"] != "http":
            raise WebSocketException(status.WS_1008_POLICY_VIOLATION, "a WebSocket would outlive its access token")
        return authenticate(self._verifier, connection.headers.getlist("authorization"), scope=self._scope)


class Authentication:
    """Authenticates the requests of one FastAPI application, which gets the handlers that answer refusals.

    ``caller`` is the dependency for endpoints that any access token opens. A mounted sub-application needs an
    Authentication of its own, and WebSockets are closed.

    FastAPI parses a JSON body before it asks any dependency, so a malformed one gets FastAPI's 422 even without a
    token. To refuse before anything is read, or to close a whole application at once, take
    :class:`sensos_auth.verifying.AuthenticationMiddleware`.
    """

    def __init__(self, app: FastAPI, verifier: Verifier) -> None:
        for exception in (MissingToken, InvalidToken, InsufficientScope, KeysUnavailable):
            app.add_exception_handler(exception, _refuse)
        self._verifier = verifier
        self.caller = CallerDependency(verifier, "")

    def requires(self, scope: str) -> CallerDependency:
        """Return the dependency for endpoints that need all the scopes, space-separated; raises InvalidInput."""
        return CallerDependency(self._verifier, normalize_scope(scope))


async def _refuse(request: Request, error: Exception) -> Response:  # noqa: ARG001 - FastAPI's signature
    refusal = refusal_for(error)
    return Response(refusal.body, refusal.status, dict(refusal.headers))
