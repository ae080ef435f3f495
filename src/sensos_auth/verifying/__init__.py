"""Access token in, caller out: for API services that accept the tokens of a Sensos Auth service.

One verifier for each service, made when it starts::

    verifier = Verifier.connect("https://auth.example.com", audience="sensos-api")
    verifier.wait_until_ready()

    caller = verifier.verify(token, scope="devices:read")
    caller.tenant_id, caller.application_id, caller.scopes

Around a whole ASGI application: ``AuthenticationMiddleware(app, verifier)``. In a framework, its module here:
``fastapi``, ``starlette``, ``litestar``, ``flask``, ``django``, ``djangorestframework``, ``aiohttp``,
``grpc``, ``wsgi``. Elsewhere, two functions make a request a caller and a refusal an answer:
``authenticate(verifier, request.headers.getlist("Authorization"))`` and ``refusal_for(error)``.

What is promised:

* Verifying asks neither network nor disk, and any number of threads may do it at once.
* A token is refused unless its issuer and its audience are exactly the configured ones, and no option skips a check.
  The algorithm is the key's, never the token's choice. No token brings its own key or has one fetched.
* Every token that is not good raises the same InvalidToken, and clients get the same 401. Its ``reason`` is for the
  service's log.
* No keys, no word of revocations for too long (where that is to be refused), or a defect, is a 503: neither a refusal
  of a good token nor a pass.
* Names in ``__all__`` here and in the frameworks' modules change only with a major version. Claims may be added to
  tokens; a verifier of today ignores them and keeps them in ``Caller.claims``.

A token is a password for as long as it lives: keep it out of logs, URLs and error messages.
"""

from sensos_auth.verifying.asgi import AuthenticationMiddleware
from sensos_auth.verifying.bearer import authenticate
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.connected import ConnectedVerifier, VerifierHealth
from sensos_auth.verifying.errors import (
    InsufficientScope,
    InvalidToken,
    KeysUnavailable,
    MissingToken,
    RevocationsUnavailable,
)
from sensos_auth.verifying.feed_standing import RevocationsHealth
from sensos_auth.verifying.foreign_issuer import ForeignIssuer
from sensos_auth.verifying.held_keys import KeysHealth
from sensos_auth.verifying.jwks import LocalJwks, parse_jwks
from sensos_auth.verifying.keys import VerificationKey, VerificationKeys
from sensos_auth.verifying.own_token import VerifierCredentials
from sensos_auth.verifying.refusals import Refusal, refusal_for
from sensos_auth.verifying.remote_jwks import RemoteJwks
from sensos_auth.verifying.remote_revocations import RemoteRevocations
from sensos_auth.verifying.revocations import Revocations
from sensos_auth.verifying.verifier import Verifier

__all__ = [
    "AuthenticationMiddleware",
    "Caller",
    "ConnectedVerifier",
    "ForeignIssuer",
    "InsufficientScope",
    "InvalidToken",
    "KeysHealth",
    "KeysUnavailable",
    "LocalJwks",
    "MissingToken",
    "Refusal",
    "RemoteJwks",
    "RemoteRevocations",
    "Revocations",
    "RevocationsHealth",
    "RevocationsUnavailable",
    "VerificationKey",
    "VerificationKeys",
    "Verifier",
    "VerifierCredentials",
    "VerifierHealth",
    "authenticate",
    "parse_jwks",
    "refusal_for",
]
