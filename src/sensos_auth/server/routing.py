"""Which endpoint answers which path. Paths are compared whole, as they arrive: there is nothing to normalise."""

from collections.abc import Mapping

from sensos_auth.server.answers import NOT_FOUND
from sensos_auth.server.asgi import Application, Receive, Scope, Send


class Router:
    """Hands each request to the endpoint of its path; 404 where there is none."""

    def __init__(self, endpoints: Mapping[str, Application]) -> None:
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        endpoint = self._endpoints.get(scope["path"])
        if endpoint is None:
            await NOT_FOUND.send(send)
        else:
            await endpoint(scope, receive, send)
