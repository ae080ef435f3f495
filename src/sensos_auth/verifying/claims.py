"""Single claims of an access token, checked whoever issued it (RFC 9068 section 4, RFC 7519 section 4.1).

Clocks may differ by ten seconds where a token would otherwise be too new; an expired token is expired, without leeway.
"""

import re
from typing import NamedTuple, TypeGuard

from sensos_auth.verifying.errors import InvalidToken

CLOCK_DIFFERENCE = 10  # seconds
YEAR_2100 = 4_102_444_800  # UTC seconds

IDENTIFIER = re.compile(r"[\x21-\x7e]{1,256}")  # printable ASCII: identifiers travel in headers and logs
TOKEN_ID = re.compile(r"[\x21-\x7e]{1,64}")
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # RFC 6749 section 3.3


class Lifespan(NamedTuple):
    """From when (the allowance for clocks that differ taken off) until when a token is good, in UTC seconds."""

    begins_at: int
    expires_at: int


def check_addressees(claims: dict[str, object], *, issuer: str, audience: str, lists: bool) -> None:
    """Raise InvalidToken unless ``iss`` is the issuer and ``aud`` the audience, letter by letter.

    With ``lists``, ``aud`` may also be a list of strings with the audience in it.
    """
    if claims.get("iss") != issuer:
        raise InvalidToken("wrong issuer")
    aud = claims.get("aud")
    if isinstance(aud, list) and lists and all(isinstance(name, str) for name in aud):
        if audience not in aud:
            raise InvalidToken("wrong audience")
    elif aud != audience:
        raise InvalidToken("wrong audience")


def lifespan_of(claims: dict[str, object], *, now: float, longest_lifetime: int) -> Lifespan:
    """Return how long the token is good; raises InvalidToken if it is not at ``now`` (UTC seconds)."""
    exp = _time(claims, "exp")
    iat = _time(claims, "iat")
    begins = max(iat, _time(claims, "nbf") if "nbf" in claims else iat)
    if exp <= now:
        raise InvalidToken("expired")
    if begins > now + CLOCK_DIFFERENCE:
        raise InvalidToken("not valid yet")
    if begins >= exp:
        raise InvalidToken("expires before it begins")
    if exp - iat > longest_lifetime:
        raise InvalidToken("lives too long")
    return Lifespan(begins - CLOCK_DIFFERENCE, exp)


def refuse_confirmation(claims: dict[str, object]) -> None:
    """Raise InvalidToken for a token that is bound to a key: shown as a bearer token, it may be stolen."""
    if "cnf" in claims:
        raise InvalidToken("bound to a key, but shown as a bearer token")  # RFC 9449 section 7.1


def text_claim(claims: dict[str, object], name: str, form: re.Pattern[str]) -> str:
    """Return the claim, a text of the form; raises InvalidToken for anything else."""
    value = claims.get(name)
    if not isinstance(value, str) or not form.fullmatch(value):
        raise InvalidToken(f"{name} is not a text of the right form")
    return value


def is_integer(value: object) -> TypeGuard[int]:
    """Tell whether a JSON value is an integer."""
    return isinstance(value, int) and not isinstance(value, bool)


def _time(claims: dict[str, object], name: str) -> int:
    value = claims.get(name)
    if not is_integer(value) or not 0 < value < YEAR_2100:
        raise InvalidToken(f"{name} is not a time in whole seconds")
    return value
