"""For aiohttp (``pip install 'sensos-auth[aiohttp]'``): ``ClientSession(middlewares=[TokenMiddleware.from_env()])``."""

from collections.abc import Mapping
from typing import Any, Self, Unpack

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from sensos_auth.client.token_source import AnySource, Options, TokenSource, source_of

_UNAUTHORIZED = 401


class TokenMiddleware:
    """Puts an access token on every request to the API: ``TokenMiddleware(source)``, or ``TokenMiddleware.from_env()``.

    A token goes only to the origins of its source: aiohttp asks here anew after each redirect. A 401 for it has it
    renewed once, and the request is repeated once if its body can be sent again.
    """

    def __init__(self, source: AnySource) -> None:
        self._shared = source_of(source).shared
        self._allowed = source_of(source).origins.allowed

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None, **options: Unpack[Options]) -> Self:
        """Make it with :meth:`TokenSource.from_env`."""
        return cls(TokenSource.from_env(environment, **options))

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send one request."""
        url = request.url
        if (url.scheme, url.raw_host, url.port) not in self._allowed:
            return await handler(request)
        shared = self._shared
        held = shared.held
        if shared.clock() >= held.stale_at:
            held = await shared.get_async()
        request.headers["Authorization"] = held.authorization
        response = await handler(request)
        if response.status != _UNAUTHORIZED:
            return response
        replacement = await shared.replace_async(held)
        if replacement is None or _is_consumed(request.body):
            return response
        response.release()
        request.headers["Authorization"] = replacement.authorization
        return await handler(request)


def _is_consumed(body: Any) -> bool:  # noqa: ANN401 - bytes or a payload
    return bool(getattr(body, "consumed", False))
