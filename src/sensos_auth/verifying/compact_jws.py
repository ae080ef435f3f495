"""The JWS compact serialization, taken apart strictly (RFC 7515 sections 3.1 and 5.2, RFC 8725)."""

import re
from dataclasses import dataclass, field

from sensos_auth.verifying.base64url import decode_base64url
from sensos_auth.verifying.errors import InvalidToken
from sensos_auth.verifying.strict_json import parse_object

LARGEST_TOKEN = 8192

_THREE_PARTS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)")

# A token never brings its own key, and never changes how it is to be read. Refused even when null.
_KEYS_OF_THE_SENDER = frozenset(("jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"))
_EXTENSIONS_AND_NESTING = frozenset(("crit", "b64", "cty"))
_ENCRYPTION = frozenset(("enc", "zip", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c"))
_REFUSED_MEMBERS = _KEYS_OF_THE_SENDER | _EXTENSIONS_AND_NESTING | _ENCRYPTION


@dataclass(frozen=True, slots=True)
class CompactJws:
    """A JWS whose form is right. Nothing in it is to be trusted before a key has verified it.

    ``header`` is the protected header, ``algorithm`` its ``alg``; ``signing_input`` are the bytes that were signed.
    """

    header: dict[str, object]
    algorithm: str
    payload: bytes = field(repr=False)
    signing_input: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def parse_compact_jws(token: str) -> CompactJws:
    """Return the parts of a token of at most 8 192 characters; raises InvalidToken when its form is not right.

    Each part must be the one base64url text of its bytes: no padding, no foreign characters, no stray bits.
    """
    if len(token) > LARGEST_TOKEN:
        raise InvalidToken("too large")
    parts = _THREE_PARTS.fullmatch(token)
    if parts is None:
        raise InvalidToken("not three parts of base64url")
    try:
        protected, payload, signature = map(decode_base64url, parts.groups())
    except ValueError:
        raise InvalidToken("not canonical base64url") from None
    try:
        header = parse_object(protected)
    except ValueError:
        raise InvalidToken("the header is not a JSON object") from None
    if not _REFUSED_MEMBERS.isdisjoint(header):
        raise InvalidToken("the header has a member that is refused")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise InvalidToken("the header names no algorithm")
    return CompactJws(header, algorithm, payload, token[: parts.end(2)].encode(), signature)
