"""Why two libraries may say otherwise than ours: every disagreement needs one of these reasons, or it is a finding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.verifying.differential.faults import Reading
from tests.verifying.issued import NOW

# What a library accepts although the contract refuses it: the fault, and why the library does.
PASSED_OVER: Mapping[str, dict[str, str]] = {
    "PyJWT": {
        "too large": "has no limit for the size of a token",
        "padding": "takes = at the end of a part, as some issuers write it",
        "not UTF-8": "json.loads guesses UTF-16 and UTF-32, and passes over a byte order mark",
        "duplicate member": "json.loads takes the last of two members, where another parser takes the first",
        "no number": "json.loads reads NaN, Infinity and 1e999",
        "lone surrogate": "json.loads reads half a character",
        "refused header member": "ignores keys in the header, zip, enc and cty; of crit it knows b64",
        "type": "has no check of typ: other tokens of the issuer pass for access tokens",
        "no time": 'rounds 1.5 down and reads true and "1800000060" as times',
        "lifetime": "has no ceiling for exp - iat",
        "subject": "does not compare sub with client_id",
        "identifier": "asks that our claims are there, not for their form",
        "version": "asks that rv is there, not for its form",
        "scope": "knows nothing of scope",
        "bound": "knows nothing of cnf",
    },
    "joserfc": {
        "too large": "allows a payload of 128 000 bytes",
        "not UTF-8": "json.loads guesses UTF-16 and UTF-32, and passes over a byte order mark",
        "duplicate member": "json.loads takes the last of two members, where another parser takes the first",
        "no number": "json.loads reads NaN, Infinity and 1e999; only the times are checked",
        "lone surrogate": "json.loads reads half a character",
        "refused header member": "ignores well-formed keys in the header and cty; of crit it knows b64",
        "type": "its list of allowed values allows a list of them, and the empty list",
        "audience": "takes a list with our audience in it",
        "no time": "takes fractions of a second, as RFC 7519 allows, 0, and years after 2100",
        "lifetime": "has no ceiling for exp - iat",
        "subject": "does not compare sub with client_id",
        "identifier": "asks that our claims are there, not for their form",
        "version": "asks that rv is there, not for its form",
        "scope": "knows nothing of scope",
        "bound": "knows nothing of cnf",
    },
}


@dataclass(frozen=True, slots=True)
class Restraint:
    """Why a library refuses with this exception what the contract accepts, in tokens that ``applies`` to."""

    error: str
    why: str
    applies: Callable[[Reading], bool]


def _is_ahead(reading: Reading) -> bool:
    claims = reading.claims or {}
    return any(isinstance(at := claims.get(name), int) and NOW < at <= NOW + 10 for name in ("iat", "nbf"))


def _has_unknown_member(reading: Reading) -> bool:
    return bool((reading.header or {}).keys() - {"alg", "typ", "kid"})


def _has_long_header(reading: Reading) -> bool:
    return reading.header_size > 512


def _has_other_type(reading: Reading) -> bool:
    return (reading.header or {}).get("typ") != "at+jwt"


RESTRAINTS: Mapping[str, list[Restraint]] = {
    "PyJWT": [
        Restraint("ImmatureSignatureError", "allows no clock to be ten seconds ahead: one leeway for all", _is_ahead),
    ],
    "joserfc": [
        Restraint("InvalidClaimError", "allows no clock to be ten seconds ahead: one leeway for all", _is_ahead),
        Restraint("UnsupportedHeaderError", "refuses header members that it does not know (C31)", _has_unknown_member),
        Restraint("ExceededSizeError", "refuses a header of more than 512 characters", _has_long_header),
        Restraint(
            "InvalidHeaderValueError", "compares typ letter by letter; a media type has no case", _has_other_type
        ),
    ],
}
