"""``/v1/verify``: a gateway asks before it lets a request through (docs/gateways.md).

The answer's body is empty; the headers say who calls. Each of them is always there, empty where there is nothing to
say, so that a gateway which copies them overwrites whatever the client sent under their names.
"""

import re
from urllib.parse import unquote_to_bytes

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.scope import normalize_scope
from sensos_auth.server.answers import NO_STORE, Answer
from sensos_auth.server.asgi import Header, Receive, Scope
from sensos_auth.verifying import Caller, Verifier, authenticate, refusal_for
from sensos_auth.verifying.refusals import REASONS

PATH = "/v1/verify"

_NO_CONTENT: Header = (b"content-length", b"0")
_CLOSE: Header = (b"connection", b"close")
_BY_TOKEN: Header = (b"vary", b"authorization")  # for a cache that does not know no-store
_QUERY = re.compile(rb"scope=((?:[^&=%]|%[0-9A-Fa-f]{2})+)")


class VerifyEndpoint:
    """Says whose token a request carries: any method, because gateways pass on their client's, and any body, unread."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:  # noqa: ARG002 - as all endpoints
        """Answer 200 with the caller in headers, or the refusal that every protected endpoint gives.

        Raises InvalidInput (400) when the query is not one ``scope``: whoever asks wrongly must not get a yes.
        """
        # A body that nobody reads stands in the way of the next request.
        last = [_CLOSE] if any(_announces_body(name, value) for name, value in scope["headers"]) else []
        needed = _needed_scope(scope["query_string"])
        authorization = [value for name, value in scope["headers"] if name == b"authorization"]
        try:
            caller = authenticate(self._verifier, authorization, scope=needed)
        except REASONS as error:
            refusal = refusal_for(error)
            return Answer(refusal.status, [*refusal.raw_headers(), *last], refusal.body)
        return Answer(200, [_NO_CONTENT, NO_STORE, _BY_TOKEN, *_identity(caller), *last], b"")


def _announces_body(name: bytes, value: bytes) -> bool:
    return name == b"transfer-encoding" or (name == b"content-length" and value != b"0")


def _needed_scope(query: bytes) -> str:
    if not query:
        return ""
    found = _QUERY.fullmatch(query)
    needed = normalize_scope(unquote_to_bytes(found[1].replace(b"+", b" ")).decode("latin-1")) if found else ""
    if not needed:
        raise InvalidInput("the query may hold nothing but one scope, as in ?scope=devices:read%20devices:write")
    return needed


def _identity(caller: Caller) -> list[Header]:
    # The verifier takes identifiers and scopes in printable ASCII only, so none can end its header.
    return [
        (b"x-sensos-tenant-id", caller.tenant_id.encode("ascii")),
        (b"x-sensos-application-id", caller.application_id.encode("ascii")),
        (b"x-sensos-scope", " ".join(sorted(caller.scopes)).encode("ascii")),
        (b"x-sensos-token-id", caller.token_id.encode("ascii")),
    ]
