"""Mutations of single values: members of the header, and claims."""

import json
import re
from collections.abc import Callable
from random import Random

from tests.verifying.differential.keys import SigningKey
from tests.verifying.issued import APPLICATION, AUDIENCE, ISSUER, NOW

Members = dict[str, object]

_ODD_VALUES: list[object] = [None, True, False, 0, 1, -1, 1.5, "", "x", " ", [], [""], {}, {"x": 1}, "\0", "ä", "a b"]
_TIMES: list[object] = [
    *(NOW - 1, NOW, NOW + 1, NOW + 9, NOW + 10, NOW + 11, NOW + 60, NOW - 3600, NOW + 3600, NOW + 86_400, NOW + 86_401),
    *(NOW + 0.5, NOW - 0.5, float(NOW + 60), str(NOW + 60), f" {NOW + 60} ", f"{NOW + 60:_}", True, False, 0, -1, 1),
    *(None, "", [], {}, [NOW + 60], 2**31, 2**53 + 1, 2**63, 4_102_444_799, 4_102_444_800, 10**30, NOW * 1000),
]
_CLAIM_VALUES: dict[str, list[object]] = {
    "iss": [
        *(ISSUER + "/", ISSUER.upper(), ISSUER[:-1], f"{ISSUER}.evil.example", ISSUER.replace("https", "http")),
        *([ISSUER], f" {ISSUER}", f"{ISSUER}\0", ISSUER.removeprefix("https://"), {"iss": ISSUER}),
    ],
    "aud": [
        *([AUDIENCE], [AUDIENCE, "other"], ["other"], [AUDIENCE, 1], AUDIENCE + "/", AUDIENCE.upper(), AUDIENCE[:-1]),
        *(f"{AUDIENCE}-v2", f"{AUDIENCE} other", ISSUER, {AUDIENCE: 1}, [[AUDIENCE]], f"{AUDIENCE}\n"),
    ],
    "exp": _TIMES,
    "iat": _TIMES,
    "nbf": _TIMES,
    "sub": ["app_other", APPLICATION.upper(), [APPLICATION], f"{APPLICATION} "],
    "client_id": ["app_other", APPLICATION.upper(), [APPLICATION], f"{APPLICATION} "],
    "tenant_id": ["ten_other", ["ten_other"], "t" * 256, "t" * 257, "ten\r\nx: y"],
    "credential_id": ["sec_other", ["sec_other"], "s" * 256, "s" * 257],
    "jti": ["j", "j" * 64, "j" * 65, "j" * 1000, ["j"], 7],
    "rv": [0, 1, 2**53 + 1, 2**63 - 1, 2**63, -1, "1", 1.0, True, [1]],
    "scope": ["a", "a b", "a  b", " a", "a ", "a\tb", ["a"], 'a"b', "admin", "devices:read"],
    "cnf": [{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}, {}, None],
    "region": ["eu", 1.5, [1, {"x": None}], "\N{GRINNING FACE}"],
}
_TYPES: list[object] = [
    *("at+jwt", "AT+JWT", "at+JWT", "application/at+jwt", "Application/AT+jwt", "JWT", "jwt", "dpop+jwt", "at+jwt "),
    *("text/at+jwt", "application/", "logout+jwt", "at jwt", "", None, 1, [], ["at+jwt"], ["JWT"], {}),
]
_ALGORITHMS: list[object] = [
    *("none", "None", "NONE", "", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384"),
    *("ES512", "ES256K", "EdDSA", "Ed25519", "Ed448", "es256", " ES256", "ES256 ", "ES256\0", "RSA-OAEP", "dir"),
    *(None, 0, True, [], ["ES256"], {}, {"alg": "ES256"}),
]


def mutate_header(random: Random, header: Members, key: SigningKey) -> str:
    """Change one member of the header, and return what was done."""
    name = random.choice(["alg", "typ", "kid", "crit", "key", "other", "less", "more"])
    match name:
        case "alg":
            header["alg"] = random.choice(_ALGORITHMS)
        case "typ":
            header["typ"] = random.choice(_TYPES)
        case "kid":
            header["kid"] = random.choice(_key_ids(random, key))
        case "crit":
            header["crit"] = random.choice([["exp"], ["b64"], ["x"], [], "exp", [1], ["alg"], ["b64", "b64"], None, {}])
            if random.random() < 0.5:
                header["b64"] = random.choice([True, False, None, "false"])
        case "key":
            member = random.choice(["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"])
            header[member] = random.choice([key.jwk, "https://evil.example/", ["AAAA"], "AAAA", None, {}])
        case "other":
            member = random.choice(["b64", "cty", "zip", "enc", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c"])
            header[member] = random.choice([True, False, "JWT", "DEF", "A128GCM", 1 << 31, None])
        case "less":
            name += f" {random.choice(['alg', 'typ', 'kid'])}"
            header.pop(name.split()[1], None)
        case _:
            member = random.choice(["iss", "ALG", "Kid", "x", "svt", "\N{GRINNING FACE}"])
            header[member] = random.choice([*_ODD_VALUES, "x" * 400, "x" * 3000])
    return f"header {name}"


def mutate_claims(random: Random, claims: Members) -> str:
    """Change one claim, and return what was done."""
    name = random.choice(list(_CLAIM_VALUES))
    if random.random() < 0.1:
        claims.pop(name, None)
        return f"claim {name} out"
    claims[name] = random.choice(_CLAIM_VALUES[name] if random.random() < 0.7 else _ODD_VALUES)
    return f"claim {name}"


def _key_ids(random: Random, key: SigningKey) -> list[object]:
    other = list(key.kid)
    other[random.randrange(len(other))] = random.choice("ABCabc012-_")
    return [
        *("".join(other), key.kid[:-1], key.kid + "A", key.kid.swapcase(), f"{key.kid}\n", f" {key.kid}", "unknown"),
        *("", None, 1, [key.kid], {"kid": key.kid}, "a" * 65, "../../dev/null", "x' OR '1'='1", "ключ", "\0", True),
    ]


def _spaced(value: object) -> str:
    return json.dumps(value, indent=2)


def _escaped(value: object) -> str:
    # Every letter of every text, names too, as an escape: the same JSON.
    return re.sub(r'"(?:[^"\\]|\\.)*"', _as_escapes, json.dumps(value))


def _as_escapes(text: re.Match[str]) -> str:
    units = json.loads(text[0]).encode("utf-16-be").hex()
    return '"' + "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4)) + '"'


_STYLES: list[Callable[[object], str]] = [
    json.dumps,
    lambda value: json.dumps(value, separators=(",", ":")),
    lambda value: json.dumps(value, ensure_ascii=False),
    _spaced,
    _escaped,
]


def written(random: Random, members: Members) -> str:
    """Return the members as JSON, in one of the ways that mean the same."""
    items = list(members.items())
    if random.random() < 0.2:
        random.shuffle(items)
    text = random.choices(_STYLES, [6, 6, 2, 2, 1])[0](dict(items))
    return f" \r\n\t{text}\n " if random.random() < 0.05 else text
