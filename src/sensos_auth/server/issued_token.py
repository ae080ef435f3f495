"""Whose an access token is: only of one that this issuer has signed is anything said."""

import json
from dataclasses import dataclass

from sensos_auth.model.errors import InvalidInput
from sensos_auth.registry import View
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.verifying import InvalidToken, LocalJwks
from sensos_auth.verifying.compact_jws import parse_compact_jws
from sensos_auth.verifying.strict_json import parse_object


@dataclass(frozen=True, slots=True)
class TokenSubject:
    """What a token says of itself. ``expires_at`` is in UTC seconds."""

    token_id: str
    expires_at: int
    tenant_id: str
    application_id: str


def token_subject(token: str, view: View, issuer: str) -> TokenSubject:
    """Return what the token says of itself, once it is certain that this issuer signed it, whether or not it is good.

    Raises InvalidInput, which repeats nothing of it.
    """
    jwks = [json.loads(key.public_jwk) for key in list_signing_keys(view)]
    try:
        jws = parse_compact_jws(token)
        claims = parse_object(jws.payload)
        key = LocalJwks(json.dumps({"keys": jwks})).find(str(jws.header.get("kid"))) if jwks else None
    except (InvalidToken, ValueError):
        raise InvalidInput("this is not an access token: look at it with tokens inspect") from None
    if key is None or not key.verifies(jws):
        raise InvalidInput("no signing key of this registry, past or present, signed this token: nothing is revoked")
    if claims.get("iss") != issuer:
        raise InvalidInput("the token is of another issuer than SENSOS_AUTH_ISSUER: nothing is revoked")
    return TokenSubject(str(claims["jti"]), int(str(claims["exp"])), str(claims["tenant_id"]), str(claims["client_id"]))
