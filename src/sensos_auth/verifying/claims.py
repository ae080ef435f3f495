"""The claims of an access token, checked one after the other (RFC 9068 section 4, RFC 7519 section 4.1).

What is checked here is what :mod:`sensos_auth.model.access_token` publishes. Clocks may differ by ten seconds where a
token would otherwise be too new; an expired token is expired, without leeway.
"""

import re
from types import MappingProxyType
from typing import TypeGuard

from sensos_auth.model.lifetime import LONGEST_LIFETIME
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.errors import InvalidToken

CLOCK_DIFFERENCE = 10  # seconds
YEAR_2100 = 4_102_444_800  # UTC seconds

_IDENTIFIER = re.compile(r"[\x21-\x7e]{1,256}")  # printable ASCII: identifiers travel in headers and logs
_TOKEN_ID = re.compile(r"[\x21-\x7e]{1,64}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # RFC 6749 section 3.3
_VERSIONS = range(1 << 63)


def caller_of(claims: dict[str, object], *, issuer: str, audience: str, now: float) -> Caller:
    """Return whom the claims speak for at ``now`` (UTC seconds); raises InvalidToken if one of them is not right.

    ``aud`` must be the audience as one string, as this product's issuer writes it. A list is refused, even with the
    audience in it: a token that is good for several services lets each of them act as the caller at the others.
    """
    if claims.get("iss") != issuer:
        raise InvalidToken("wrong issuer")
    if claims.get("aud") != audience:
        raise InvalidToken("wrong audience")
    expires_at = _check_times(claims, now)
    application_id = _text(claims, "client_id", _IDENTIFIER)
    if claims.get("sub") != application_id:
        raise InvalidToken("sub is not client_id")
    _text(claims, "credential_id", _IDENTIFIER)
    if not _is_integer(rv := claims.get("rv")) or rv not in _VERSIONS:
        raise InvalidToken("rv is not a registry version")
    if "cnf" in claims:
        raise InvalidToken("bound to a key, but shown as a bearer token")  # RFC 9449 section 7.1
    return Caller(
        tenant_id=_text(claims, "tenant_id", _IDENTIFIER),
        application_id=application_id,
        scopes=frozenset(_text(claims, "scope", _SCOPE).split(" ")) if "scope" in claims else frozenset(),
        token_id=_text(claims, "jti", _TOKEN_ID),
        expires_at=expires_at,
        claims=MappingProxyType(claims),
    )


def _check_times(claims: dict[str, object], now: float) -> int:
    exp = _time(claims, "exp")
    iat = _time(claims, "iat")
    nbf = _time(claims, "nbf") if "nbf" in claims else iat
    if exp <= now:
        raise InvalidToken("expired")
    if max(iat, nbf) > now + CLOCK_DIFFERENCE:
        raise InvalidToken("not valid yet")
    if max(iat, nbf) >= exp:
        raise InvalidToken("expires before it begins")
    if exp - iat > LONGEST_LIFETIME:
        raise InvalidToken("lives too long")
    return exp


def _time(claims: dict[str, object], name: str) -> int:
    value = claims.get(name)
    if not _is_integer(value) or not 0 < value < YEAR_2100:
        raise InvalidToken(f"{name} is not a time in whole seconds")
    return value


def _text(claims: dict[str, object], name: str, form: re.Pattern[str]) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise InvalidToken(f"{name} is not a text of the right form")
    return value


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
