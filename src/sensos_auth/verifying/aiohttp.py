"""aiohttp servers behind access tokens.

Usage::

    app = web.Application(middlewares=[authentication(verifier)])

    @require("devices:read")
    async def devices(request: web.Request) -> web.Response:
        request[CALLER].tenant_id

Every path needs a token, also one that does not exist; so do the applications added to this one.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sensos_auth.verifying.bearer import authenticate
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.errors import InsufficientScope
from sensos_auth.verifying.needed_scopes import NeededScopes
from sensos_auth.verifying.refusals import refusal_for
from sensos_auth.verifying.verifier import Verifier

try:
    from aiohttp import web
    from aiohttp.typedefs import Handler, Middleware
except ImportError as error:
    raise ImportError("sensos_auth.verifying.aiohttp needs aiohttp: pip install 'sensos-auth[aiohttp]'") from error

__all__ = ["CALLER", "authentication", "require"]

CALLER = web.RequestKey("caller", Caller)

_Target = TypeVar("_Target", bound=web.Request | web.View)  # what a function, or a method of a view, is called with
_Handler = Callable[[_Target], Awaitable[web.StreamResponse]]


def authentication(verifier: Verifier) -> Middleware:
    """Return the middleware that lets a request through with the caller in ``request[CALLER]``, or refuses it.

    WebSockets are refused with 403: one would outlive its token, and a revocation.
    """

    @web.middleware
    async def authenticate_request(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            caller = authenticate(verifier, request.headers.getall("Authorization", ()))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not a pass
            return _refuse(error)
        if "websocket" in request.headers.get("Upgrade", "").lower():
            raise web.HTTPForbidden(text="A WebSocket would outlive its access token")
        request[CALLER] = caller
        return await handler(request)

    return authenticate_request


def require(scope: str) -> Callable[[_Handler[_Target]], _Handler[_Target]]:
    """Return a decorator for handlers that need all the scopes, space-separated; raises InvalidInput if it is none.

    For functions and methods of a ``web.View`` behind :func:`authentication`; without it they fail, and let nobody in.
    Put it below the route's decorator.
    """
    needed = NeededScopes(scope)

    def guard(handler: _Handler[_Target]) -> _Handler[_Target]:
        @functools.wraps(handler)
        async def guarded(target: _Target) -> web.StreamResponse:
            request = target.request if isinstance(target, web.View) else target
            try:
                needed.check(request[CALLER])
            except InsufficientScope as error:
                return _refuse(error)
            return await handler(target)

        return guarded

    return guard


def _refuse(error: Exception) -> web.Response:
    refusal = refusal_for(error)
    return web.Response(body=refusal.body, status=refusal.status, headers=dict(refusal.headers))
