"""A whole ASGI application behind access tokens."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sensos_auth.model.scope import normalize_scope
from sensos_auth.verifying.bearer import authenticate
from sensos_auth.verifying.refusals import refusal_for
from sensos_auth.verifying.verifier import Verifier

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

_POLICY_VIOLATION = 1008  # RFC 6455 section 7.4.1


class AuthenticationMiddleware:
    """Lets a request through to the application with the caller in ``scope["state"]["caller"]``, or refuses it.

    Every method and path needs a token, and all scopes of ``scope`` (space-separated; raises InvalidInput if it is
    none). WebSockets are closed: one would outlive its token, and a revocation. In Starlette and FastAPI the caller
    is ``request.state.caller``.
    """

    def __init__(self, app: AsgiApplication, verifier: Verifier, scope: str = "") -> None:
        self._app = app
        self._verifier = verifier
        self._scope = normalize_scope(scope)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        match scope["type"]:
            case "http":
                await self._serve(scope, receive, send)
            case "lifespan":
                await self._app(scope, receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            case other:
                raise NotImplementedError(f"an ASGI connection of type {other!r} can't be authenticated")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        authorization = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
        try:
            caller = authenticate(self._verifier, authorization, scope=self._scope)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not a pass
            refusal = refusal_for(error)
            await send({"type": "http.response.start", "status": refusal.status, "headers": refusal.raw_headers()})
            await send({"type": "http.response.body", "body": refusal.body})
            return
        # A state of this request's own, whatever the server shares between requests.
        await self._app({**scope, "state": {**scope.get("state", {}), "caller": caller}}, receive, send)
