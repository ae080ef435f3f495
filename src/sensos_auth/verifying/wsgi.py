"""A whole WSGI application behind access tokens.

Usage::

    application = AuthenticationMiddleware(application, verifier)

The caller is in ``environ["sensos_auth.caller"]``, which no header of a client can set. A part that needs scopes gets a
middleware of its own: ``AuthenticationMiddleware(vehicles, verifier, scope="vehicles:read")``.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from sensos_auth.model.scope import normalize_scope
from sensos_auth.verifying.bearer import authenticate
from sensos_auth.verifying.refusals import refusal_for
from sensos_auth.verifying.verifier import Verifier
from sensos_auth.verifying.wsgi_authorization import WsgiAuthorization

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["CALLER", "AuthenticationMiddleware"]

CALLER = "sensos_auth.caller"


class AuthenticationMiddleware:
    """Lets a request through to the application with the caller in its environment, or refuses it.

    Every method and path needs a token, and all scopes of ``scope`` (space-separated; raises InvalidInput if it is
    none).
    """

    def __init__(self, app: "WSGIApplication", verifier: Verifier, scope: str = "") -> None:
        self._app = app
        self._verifier = verifier
        self._scope = normalize_scope(scope)
        self._authorization = WsgiAuthorization()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve one request."""
        try:
            caller = authenticate(self._verifier, self._authorization.values(environ), scope=self._scope)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not a pass
            refusal = refusal_for(error)
            start_response(f"{refusal.status} {HTTPStatus(refusal.status).phrase}", list(refusal.headers))
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [refusal.body]
        environ[CALLER] = caller
        return self._app(environ, start_response)
