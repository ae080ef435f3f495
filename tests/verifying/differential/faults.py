"""What is wrong with a token, by the contract: read a second time, by code that shares nothing with the product.

A token without a fault must be accepted, and one with a fault refused. Each fault stands for one rule of DESIGN.md
section 3 and of the catalogue ATTACKS.md, whose identifiers are in ``FAULTS``.
"""

import base64
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.verifying.differential.keys import SigningKey
from tests.verifying.differential.mutants import Mutant, published_keys
from tests.verifying.differential.signatures import malleated
from tests.verifying.issued import AUDIENCE, ISSUER, NOW

FAULTS = {
    "too large": "more than 8 192 characters (D22)",
    "not three parts": "not header.payload.signature, each of them there (D01, C26)",
    "padding": "= at the end of a part (D13)",
    "foreign character": "a character that is not of base64url (D14, D15, D20, D21)",
    "stray bits": "a part that is not the one text of its bytes (D16, D17)",
    "not JSON": "a header or payload that no parser takes for a JSON object (C27, E19)",
    "not UTF-8": "JSON in UTF-16, with a byte order mark, or with bytes that are no UTF-8 (C30, E19)",
    "duplicate member": "a member that stands twice, at any depth (C28, E18)",
    "no number": "NaN, Infinity, or a number that is infinite as a float (C30, E03)",
    "lone surrogate": "an escape that is half a character (C30)",
    "refused header member": "jwk, jku, x5…, crit, b64, cty, and what belongs to encryption (C12-C14, C21-C26)",
    "algorithm": "an alg that is not the one of the key (C01-C11)",
    "type": "a typ that is not at+jwt (C24)",
    "key ID": "a kid that is not of the form, or that nobody published (C15-C18)",
    "signature": "a signature that the key did not make of this text (D02-D12)",
    "issuer": "another iss (E11)",
    "audience": "another aud, or a list, even with ours in it (E08, E09)",
    "no time": "exp, iat or nbf that is not a whole number of seconds before 2100 (E01, E03, E05, E06)",
    "expired": "exp at or before now (E02)",
    "not yet": "iat or nbf more than ten seconds ahead (E05, E06)",
    "order": "iat or nbf not before exp (E07)",
    "lifetime": "more than a day between iat and exp (E04)",
    "subject": "sub is not client_id (E14)",
    "identifier": "client_id, tenant_id, credential_id or jti that is no short printable text (E14-E16)",
    "version": "rv that is no registry version (E17)",
    "scope": "scope that is not names with one space between them (E23)",
    "bound": "bound to a key by cnf, and shown as a bearer token (E26)",
}

_REFUSED = {"jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"} | {"crit", "b64", "cty"}
_REFUSED |= {"enc", "zip", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c"}
_SCOPE_CHARACTERS = {chr(code) for code in range(0x21, 0x7F)} - {'"', "\\"}
_DAY = 86_400
_YEAR_2100 = 4_102_444_800


@dataclass
class Reading:
    """A token as far as it can be read. ``faults`` are names of FAULTS."""

    faults: set[str] = field(default_factory=set)
    header: dict[str, object] | None = None
    header_size: int = 0
    claims: dict[str, object] | None = None


def read(mutant: Mutant) -> Reading:
    """Return what is in the token, and all that is wrong with it."""
    reading = Reading()
    token = mutant.token
    if len(token) > 8192:
        reading.faults.add("too large")
    parts = token.split(".")
    if len(parts) != 3 or not parts[0] or not parts[2]:
        reading.faults.add("not three parts")
        return reading
    protected, payload, signature = (_decoded(part, reading.faults) for part in parts)
    reading.header_size = len(parts[0])
    reading.header = None if protected is None else _object(protected, reading.faults)
    reading.claims = None if payload is None else _object(payload, reading.faults)
    if reading.header is not None:
        key = _check_header(reading.header, reading.faults)
        if key is not None and not _signed(mutant, f"{parts[0]}.{parts[1]}", signature, key):
            reading.faults.add("signature")
    if reading.claims is not None:
        _check_claims(reading.claims, reading.faults)
    return reading


def _decoded(part: str, faults: set[str]) -> bytes | None:
    text = part.rstrip("=")
    if text != part:
        faults.add("padding")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        faults.add("foreign character")
        return None
    if len(text) % 4 == 1:
        faults.add("stray bits")
        return None
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_")
    if base64.b64encode(data, altchars=b"-_").decode().rstrip("=") != text:
        faults.add("stray bits")
    return data


def _object(data: bytes, faults: set[str]) -> dict[str, object] | None:
    try:
        document = json.loads(data)  # which guesses the encoding, takes the last of two, and knows NaN
    except ValueError:
        document = None
    if not isinstance(document, dict):
        faults.add("not JSON")
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\ufeff"
    if text.startswith("\ufeff") or "\0" in text:
        faults.add("not UTF-8")
        return document
    if _has_duplicate(text):
        faults.add("duplicate member")
    if _any(document, lambda value: isinstance(value, float) and not math.isfinite(value)):
        faults.add("no number")
    if _any(document, lambda value: isinstance(value, str) and bool(re.search("[\ud800-\udfff]", value))):
        faults.add("lone surrogate")
    return document


def _has_duplicate(text: str) -> bool:
    found: list[bool] = []

    def note(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found.append(len({name for name, _ in pairs}) < len(pairs))
        return dict(pairs)

    json.loads(text, object_pairs_hook=note)
    return any(found)


def _any(value: object, wrong: Callable[[object], bool]) -> bool:
    if isinstance(value, dict):
        return any(_any(part, wrong) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(_any(part, wrong) for part in value)
    return wrong(value)


def _check_header(header: dict[str, object], faults: set[str]) -> SigningKey | None:
    if _REFUSED & header.keys():
        faults.add("refused header member")
    token_type = header.get("typ")
    if not isinstance(token_type, str) or token_type.lower() not in {"at+jwt", "application/at+jwt"}:
        faults.add("type")
    key = next((key for key in published_keys() if key.kid == header.get("kid")), None)
    if key is None:
        faults.add("key ID")
    if not isinstance(header.get("alg"), str) or (key is not None and header["alg"] != key.algorithm):
        faults.add("algorithm")
    return key


def _signed(mutant: Mutant, message: str, signature: bytes | None, key: SigningKey) -> bool:
    if key.kid != mutant.kid or message != mutant.message or signature is None:
        return False
    good = [mutant.signature]
    if key.algorithm == "ES256":
        good.append(malleated(mutant.signature))
    return signature in good


def _check_claims(claims: dict[str, object], faults: set[str]) -> None:
    if claims.get("iss") != ISSUER:
        faults.add("issuer")
    if claims.get("aud") != AUDIENCE:
        faults.add("audience")
    _check_times(claims, faults)
    if claims.get("sub") != claims.get("client_id"):
        faults.add("subject")
    longest = {"client_id": 256, "tenant_id": 256, "credential_id": 256, "jti": 64}
    for name, length in longest.items():
        value = claims.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= length or not all("!" <= char <= "~" for char in value):
            faults.add("identifier")
    version = claims.get("rv")
    if type(version) is not int or not 0 <= version < 1 << 63:
        faults.add("version")
    if "scope" in claims:
        scope = claims["scope"]
        if not isinstance(scope, str) or not all(name and set(name) <= _SCOPE_CHARACTERS for name in scope.split(" ")):
            faults.add("scope")
    if "cnf" in claims:
        faults.add("bound")


def _check_times(claims: dict[str, object], faults: set[str]) -> None:
    times = {name: claims.get(name) for name in ("exp", "iat", "nbf") if name != "nbf" or "nbf" in claims}
    good = {name: value for name, value in times.items() if type(value) is int and 0 < value < _YEAR_2100}
    if good != times:
        faults.add("no time")
    exp, begins = good.get("exp"), [good[name] for name in ("iat", "nbf") if name in good]
    if exp is not None and exp <= NOW:
        faults.add("expired")
    if any(begin > NOW + 10 for begin in begins):
        faults.add("not yet")
    if exp is not None and any(begin >= exp for begin in begins):
        faults.add("order")
    if exp is not None and "iat" in good and exp - good["iat"] > _DAY:
        faults.add("lifetime")
