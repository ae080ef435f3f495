"""For requests (``pip install 'sensos-auth[requests]'``): ``session.auth = TokenAuth.from_env()``."""

from collections.abc import Mapping
from typing import Any, Self, Unpack
from urllib.parse import urljoin

from requests import PreparedRequest, Response
from requests.auth import AuthBase
from requests.utils import rewind_body

from sensos_auth.client.held_token import NO_TOKEN
from sensos_auth.client.token_source import AnySource, Options, TokenSource, source_of

_UNAUTHORIZED = 401
_FIRST_REDIRECT = 300


class TokenAuth(AuthBase):
    """Puts an access token on every request to the API: ``TokenAuth(source)``, or ``TokenAuth.from_env()``.

    A token goes only to the origins of its source, also after redirects. A 401 for it has it renewed once, and the
    request is repeated once if its body can be sent again. Share one between sessions and threads.
    """

    def __init__(self, source: AnySource) -> None:
        self._source = source_of(source)

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None, **options: Unpack[Options]) -> Self:
        """Make it with :meth:`TokenSource.from_env`."""
        return cls(TokenSource.from_env(environment, **options))

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Prepare one request."""
        source = self._source
        if request.url is not None and source.origins.permit_url(request.url):
            shared = source.shared
            held = shared.held
            if shared.clock() >= held.stale_at:
                held = shared.get()
            request.headers["Authorization"] = held.authorization
            request.hooks["response"].append(self._after)
        return request

    def _after(self, response: Response, **options: Any) -> Response:  # noqa: ANN401 - what the adapter's send takes
        """Look at one answer to a request that had the token at first: the last one, or one that redirects."""
        if response.status_code < _FIRST_REDIRECT:
            return response
        request = response.request
        if response.is_redirect:
            # requests keeps the header from http to https; nobody but the allowed origins gets it.
            if not self._source.origins.permit_url(urljoin(response.url, response.headers["location"])):
                request.headers.pop("Authorization", None)
            return response
        has_one = request.headers.get("Authorization", "").startswith("Bearer ")
        is_ours = has_one and self._source.origins.permit_url(request.url or "")
        if response.status_code != _UNAUTHORIZED or not is_ours:
            return response
        held = self._source.shared.held
        is_held = request.headers["Authorization"] == held.authorization  # else it has been replaced meanwhile
        replacement = self._source.shared.replace(held if is_held else NO_TOKEN)
        if replacement is None or not _can_be_repeated(request):
            return response
        _ = response.content  # the connection is free again when all was read
        response.close()
        request.headers["Authorization"] = replacement.authorization  # also for the redirects that may follow
        again = request.copy()
        if not _is_in_memory(again):
            rewind_body(again)
        connection: Any = response.connection  # as in requests' own digest authentication
        repeated: Response = connection.send(again, **options)
        repeated.history.append(response)
        repeated.request = again
        return repeated


def _can_be_repeated(request: PreparedRequest) -> bool:
    position: object = getattr(request, "_body_position", None)  # where a file was; there is no other way to know
    return _is_in_memory(request) or isinstance(position, int)


def _is_in_memory(request: PreparedRequest) -> bool:
    body: object = request.body
    return body is None or isinstance(body, (str, bytes))
