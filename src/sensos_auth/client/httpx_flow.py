"""How a token gets onto a request of httpx or httpx2, and onto it once more when the API refused it.

The two libraries have the same interface, so this names neither.
"""

from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any, Self, Unpack

from sensos_auth.client.held_token import HeldToken
from sensos_auth.client.token_source import AnySource, Options, TokenSource, source_of

_UNAUTHORIZED = 401


class TokenFlow:
    """What ``auth=`` does in both libraries, for synchronous and asynchronous clients alike.

    A token goes only to the origins of its source; the libraries take it away when a redirect leads elsewhere (but not
    when it leads from http on port 80 to https on port 443 of the same host, which only encrypts it). A 401 for a token
    of ours has it renewed once, and the request is repeated once if its body is in memory: the one that was refused,
    not those that led to it by redirects.
    """

    def __init__(self, source: AnySource) -> None:
        self._shared = source_of(source).shared
        # As raw_host has it: host shows international names decoded.
        self._allowed = {(scheme, host.encode(), port) for scheme, host, port in source_of(source).origins.allowed}
        self._clock = self._shared.clock

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None, **options: Unpack[Options]) -> Self:
        """Make it with :meth:`TokenSource.from_env`."""
        return cls(TokenSource.from_env(environment, **options))

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any, None]:  # noqa: ANN401 - either library's
        """Send one request of a synchronous client."""
        url = request.url
        if (url.scheme, url.raw_host, url.port) not in self._allowed:
            yield request
            return
        held = self._shared.held
        if self._clock() >= held.stale_at:
            held = self._shared.get()
        request.headers["Authorization"] = held.authorization
        response = yield request
        if response.status_code != _UNAUTHORIZED:
            return
        refused = response.request
        if self._is_ours(refused, held):
            replacement = self._shared.replace(held)
            if replacement is not None and _can_be_repeated(request):
                refused.headers["Authorization"] = replacement.authorization
                yield refused

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:  # noqa: ANN401 - either library's
        """Send one request of an asynchronous client."""
        url = request.url
        if (url.scheme, url.raw_host, url.port) not in self._allowed:
            yield request
            return
        held = self._shared.held
        if self._clock() >= held.stale_at:
            held = await self._shared.get_async()
        request.headers["Authorization"] = held.authorization
        response = yield request
        if response.status_code != _UNAUTHORIZED:
            return
        refused = response.request
        if self._is_ours(refused, held):
            replacement = await self._shared.replace_async(held)
            if replacement is not None and _can_be_repeated(request):
                refused.headers["Authorization"] = replacement.authorization
                yield refused

    def _is_ours(self, refused: Any, held: HeldToken) -> bool:  # noqa: ANN401 - as above
        # After redirects it is another request than the first one, and may be to somebody who never saw the token.
        url = refused.url
        has_it: bool = refused.headers.get("Authorization") == held.authorization
        return has_it and (url.scheme, url.raw_host, url.port) in self._allowed


def _can_be_repeated(request: Any) -> bool:  # noqa: ANN401 - as above
    try:
        _ = request.content
    except RuntimeError:  # RequestNotRead: a stream, which has been read by now
        return False
    return True
