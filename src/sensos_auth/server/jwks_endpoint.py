"""``GET /.well-known/jwks.json``: the public signing keys (RFC 7517 section 5)."""

import hashlib
from collections.abc import Callable

from sensos_auth.issuing.keyring import Keyring
from sensos_auth.server.answers import Answer, json_answer, method_not_allowed
from sensos_auth.server.asgi import Header, Receive, Scope
from sensos_auth.server.conditional import holds

PATH = "/.well-known/jwks.json"

_CACHE: Header = (b"cache-control", b"public, max-age=300")
_METHOD_NOT_ALLOWED = method_not_allowed("GET", "HEAD")


class JwksEndpoint:
    """Lists every key that signs, is about to, or may still have signed a living token. ``clock`` is in UTC seconds."""

    def __init__(self, keyring: Keyring, clock: Callable[[], int]) -> None:
        self._keyring = keyring
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:  # noqa: ARG002 - as all endpoints
        """Answer one request; 304 to one that holds the present keys already (RFC 9110 section 13.1.2)."""
        if scope["method"] not in {"GET", "HEAD"}:
            return _METHOD_NOT_ALLOWED
        body = self._keyring.jwks(self._clock())
        etag = b'"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'
        if holds(scope, etag):
            return Answer(304, [_CACHE, (b"etag", etag)], b"")
        return json_answer(body, _CACHE, (b"etag", etag))
