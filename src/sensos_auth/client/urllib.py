"""For the standard library: ``build_opener(TokenHandler.from_env()).open(url)``."""

from collections.abc import Mapping
from typing import IO, Any, Self, Unpack
from urllib.request import BaseHandler, Request

from sensos_auth.client.token_source import AnySource, Options, TokenSource, source_of


class TokenHandler(BaseHandler):
    """Puts an access token on every request to the API: ``TokenHandler(source)``, or ``TokenHandler.from_env()``.

    A token goes only to the origins of its source, and never along with a redirect: the opener asks here anew. A 401
    for it has it renewed once, and the request is repeated once if its body is in memory.
    """

    handler_order = 490  # before other handlers of authentication

    def __init__(self, source: AnySource) -> None:
        self._source = source_of(source)

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None, **options: Unpack[Options]) -> Self:
        """Make it with :meth:`TokenSource.from_env`."""
        return cls(TokenSource.from_env(environment, **options))

    def http_request(self, request: Request) -> Request:
        """Prepare one request."""
        if self._source.origins.permit_url(request.full_url):
            held = self._source.shared.get()
            request.add_unredirected_header("Authorization", held.authorization)
            request.sensos_auth_held = held  # type: ignore[attr-defined] # a mark of ours on a request of theirs
        elif hasattr(request, "sensos_auth_held"):  # it was sent before, and its URL has been changed since
            request.unredirected_hdrs.pop("Authorization", None)
            del request.sensos_auth_held
        return request

    https_request = http_request

    def http_error_401(self, request: Request, response: IO[bytes], *_: object) -> Any:  # noqa: ANN401 - the opener's answer
        """Repeat a request that was refused, once; None leaves the 401 to the opener."""
        held: Any = getattr(request, "sensos_auth_held", None)
        if held is None or hasattr(request, "sensos_auth_repeats"):
            return None
        if self._source.shared.replace(held) is None or not isinstance(request.data, (bytes, type(None))):
            return None
        response.read()
        response.close()
        request.sensos_auth_repeats = True  # type: ignore[attr-defined] # as above
        try:
            return self.parent.open(request, timeout=request.timeout)
        finally:
            del request.sensos_auth_repeats  # type: ignore[attr-defined]
