"""The tokens of the catalogue's groups C, D, E and H that no service may accept, made with a real service's key."""

import hmac
import json
import time
from collections.abc import Callable, Iterator

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc.jwk import ECKey

from sensos_auth.issuing.minting import base64url
from sensos_auth.verifying.base64url import decode_base64url
from tests.server.forged_tokens import Forge, part
from tests.verifying.issued import IssuingKey

Make = Callable[[Forge], str]

ATTACKER = IssuingKey()


def _header(**changes: object) -> Make:
    return lambda forge: forge.token(forge.header(**changes))


def _claims(**changes: object) -> Make:
    return lambda forge: forge.token(None, forge.claims(**changes))


def _later(name: str, seconds: int) -> Make:
    return lambda forge: forge.token(None, forge.claims(**{name: int(time.time()) + seconds}))


def _raw_header(change: Callable[[bytes], bytes]) -> Make:
    return lambda forge: forge.token(change(json.dumps(forge.header()).encode()))


def _raw_claims(change: Callable[[bytes], bytes]) -> Make:
    return lambda forge: forge.token(None, change(json.dumps(forge.claims()).encode()))


def _parts(change: Callable[[list[str]], str]) -> Make:
    return lambda forge: change(forge.token().split("."))


def _hmac(form: str) -> Make:
    def make(forge: Forge) -> str:
        key = ECKey.import_key(forge.public_jwk).public_key
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        secret = {
            "pem": pem,
            "stripped": pem.strip(),
            "prefixed": b"# key\n" + pem,
            "der": key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
            "point": key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)[1:],
            "jwk": json.dumps(forge.public_jwk).encode(),
            "kid": forge.kid.encode(),
            "empty": b"",
        }[form]
        message = part(forge.header(alg="HS256")) + b"." + part(forge.claims())
        return (message + b"." + base64url(hmac.digest(secret, message, "sha256"))).decode()

    return make


def _signature(change: Callable[[bytes], bytes]) -> Make:
    return _parts(lambda parts: f"{parts[0]}.{parts[1]}.{base64url(change(decode_base64url(parts[2]))).decode()}")


def _der(signature: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def _stray_bits(text: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]


_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _header_attacks() -> Iterator[tuple[str, Make]]:
    for algorithm in ("none", "None", "NONE", "nOnE"):
        yield f"c01-{algorithm}", lambda forge, a=algorithm: forge.token(forge.header(alg=a)).rpartition(".")[0] + "."  # type: ignore[misc]
        yield f"c01-{algorithm}-signed", _header(alg=algorithm)
    no_name: dict[str, object] = {"missing": ..., "null": None, "zero": 0, "true": True, "list": [], "empty": ""}
    for name, value in no_name.items():
        yield f"c02-alg-{name}", _header(alg=value)
        yield f"c17-kid-{name}", _header(kid=value)
        yield f"c24-typ-{name}", _header(typ=value)
    for algorithm in (" ES256", "ES256 ", "ES256\0", "es256"):
        yield f"c03-{algorithm!r}", _header(alg=algorithm)
    for algorithm in ("HS256", "RS256", "PS256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519"):
        yield f"c09-{algorithm}", _header(alg=algorithm)
    for form in ("pem", "stripped", "der", "point", "jwk", "kid"):
        yield f"c05-{form}", _hmac(form)
    yield "c06-prefixed", _hmac("prefixed")
    yield "c07-empty", _hmac("empty")
    yield "c12-jwk", lambda forge: ATTACKER.sign(ATTACKER.header(jwk=ATTACKER.jwk), forge.claims())
    yield (
        "c12-jwk-our-kid",
        lambda forge: ATTACKER.sign(ATTACKER.header(kid=forge.kid, jwk=ATTACKER.jwk), forge.claims()),
    )
    for name in ("jku", "x5u", "x5t", "x5t#S256", "x5c"):
        yield f"c13-{name}", _header(**{name: "http://127.0.0.1:9/"})
    kids = ["../../../../dev/null", "/proc/self/environ", "x' UNION SELECT '1';--", "|sleep 10", "$(sleep 10)", "%0a"]
    for number, kid in enumerate([*kids, "a" * 65, "ключ", "unknown"]):
        yield f"c15-c18-kid-{number}", _header(kid=kid)
    for crit in (["exp"], ["b64"], [], "exp", [1]):
        yield f"c21-{crit}", _header(crit=crit)
    yield "c22-b64", _header(b64=False, crit=["b64"])
    yield "c23-zip", _header(zip="DEF")


def _content_attacks() -> Iterator[tuple[str, Make]]:
    for token_type in ("JWT", "id_token", "dpop+jwt", "client-authentication+jwt", "logout+jwt", "at+jwt "):
        yield f"c24-{token_type}", _header(typ=token_type)
    yield "c25-nested", _header(cty="JWT")
    yield "c26-enc", _header(enc="A128GCM")
    yield "c26-five-parts", _parts(lambda parts: ".".join([*parts, parts[1], parts[2]]))
    for number, header in enumerate((b"[]", b'"x"', b"1", b"null", b"true", b"{", b"{}")):
        yield f"c27-{number}", _raw_header(lambda _, h=header: h)  # type: ignore[misc]
    yield "c28-duplicate-first", _raw_header(lambda h: h.replace(b"{", b'{"alg":"none",', 1))
    yield "c28-duplicate-last", _raw_header(lambda h: h.replace(b"}", b',"alg":"none"}', 1))
    yield "c29-deep", _raw_header(lambda h: h.replace(b"}", b',"a":' + b"[" * 1000 + b"]" * 1000 + b"}", 1))
    yield "c30-nan", _raw_header(lambda h: h.replace(b"}", b',"a":NaN}', 1))
    yield "c30-bom", _raw_header(lambda h: b"\xef\xbb\xbf" + h)
    yield "c30-utf-16", _raw_header(lambda h: h.decode().encode("utf-16"))


def _signature_attacks() -> Iterator[tuple[str, Make]]:
    yield "d01-two-parts", _parts(lambda parts: ".".join(parts[:2]))
    yield "d01-one-part", _parts(lambda parts: parts[0])
    yield "d01-four-parts", _parts(lambda parts: ".".join([*parts, ""]))
    yield "d01-no-signature", _parts(lambda parts: f"{parts[0]}.{parts[1]}.")
    yield "d01-dots", _parts(lambda _: "..")
    yield "d02-truncated", _signature(lambda s: s[:-1])
    yield "d02-half", _signature(lambda s: s[:32])
    yield "d02-extended", _signature(lambda s: s + b"\0")
    yield "d02-extended-before", _signature(lambda s: b"\0" + s)
    yield (
        "d03-payload-of-another",
        lambda forge: ".".join(
            [forge.token().split(".")[0], part(forge.claims(scope="admin")).decode(), forge.token().split(".")[2]]
        ),
    )
    yield (
        "d04-header-of-another",
        lambda forge: ".".join([part(forge.header(x=1)).decode(), *forge.token().split(".")[1:]]),
    )
    edges = {"0": 0, "1": 1, "n-1": _ORDER - 1, "n": _ORDER}
    for r_name, r in edges.items():
        for s_name, s in edges.items():
            forged = r.to_bytes(32, "big") + s.to_bytes(32, "big")
            yield f"d05-r-{r_name}-s-{s_name}", _signature(lambda _, f=forged: f)  # type: ignore[misc]
    yield "d07-der", _signature(_der)
    for position in range(3):
        for name, character in {"d13-padding": "=", "d15-dot": ".", "d15-question": "?", "d15-percent": "%2E"}.items():
            yield (
                f"{name}-{position}",
                _parts(
                    lambda parts, p=position, c=character: ".".join(  # type: ignore[misc]
                        text + c if number == p else text for number, text in enumerate(parts)
                    )
                ),
            )
    yield "d14-alphabet", _parts(lambda parts: f"{parts[0]}.{parts[1]}.{'+/' + parts[2][2:]}")
    yield "d15-space", _parts(lambda parts: f"{parts[0]}. {parts[1]}.{parts[2]}")
    yield "d16-stray-bits", _parts(lambda parts: f"{parts[0]}.{parts[1]}.{_stray_bits(parts[2])}")
    yield "d17-length", _parts(lambda parts: f"{parts[0]}.{parts[1]}.{parts[2]}AAA")
    yield (
        "d19-json",
        _parts(lambda parts: json.dumps(dict(zip(("protected", "payload", "signature"), parts, strict=True)))),
    )
    yield "d20-bearer-inside", lambda forge: f"Bearer {forge.token()}"
    yield "d20-quoted", lambda forge: f'"{forge.token()}"'
    yield "d20-url-encoded", lambda forge: forge.token().replace(".", "%2E")


def _claims_attacks() -> Iterator[tuple[str, Make]]:
    no_time: dict[str, object] = {
        "missing": ...,
        "null": None,
        "text": "1900000000",
        "true": True,
        "list": [],
        "object": {},
        "half": 1900000000.5,
        "negative": -1,
        "zero": 0,
        "2**63": 1 << 63,
        "endless": 10**400,
    }
    for name, value in no_time.items():
        yield f"e01-e03-exp-{name}", _claims(exp=value)
        yield f"e05-iat-{name}", _claims(iat=value)
        if name != "missing":
            yield f"e06-nbf-{name}", _claims(nbf=value)
    yield "e02-expired-now", _later("exp", 0)
    yield "e02-expired", _later("exp", -11)
    yield "e04-lives-too-long", _later("exp", 10 * 365 * 86_400)
    yield "e05-issued-in-the-future", _later("iat", 60)
    yield "e06-not-before", _later("nbf", 60)
    no_text: dict[str, object] = {"missing": ..., "null": None, "empty": "", "number": 1, "list": [], "object": {}}
    for claim in ("aud", "iss", "sub", "client_id", "tenant_id", "jti", "credential_id"):
        for name, value in no_text.items():
            yield f"e08-e16-{claim}-{name}", _claims(**{claim: value})
    audiences = ["other", "sensos-api/", "SENSOS-API", "sensos-ap", "sensos-api2", ["sensos-api", "other"], [1]]
    for number, audience in enumerate(audiences):
        yield f"e08-e09-h09-aud-{number}", _claims(aud=audience)
    yield "e10-aud-is-the-issuer", lambda forge: forge.token(None, forge.claims(aud=forge.service.base_url))
    for name, form in {"slash": "{}/", "prefix": "{}0", "list": ["{}"], "other": "https://evil.example"}.items():
        yield (
            f"e11-h09-iss-{name}",
            lambda forge, f=form: forge.token(  # type: ignore[misc]
                None,
                forge.claims(
                    iss=f.format(forge.service.base_url)
                    if isinstance(f, str)
                    else [f[0].format(forge.service.base_url)]
                ),
            ),
        )
    yield "e14-sub-is-another", _claims(sub="app_other")
    yield "e15-jti-long", _claims(jti="a" * 65)
    for number, version in enumerate((..., None, "1", 1.5, -1)):
        yield f"e17-rv-{number}", _claims(rv=version)
    yield "e18-duplicate", _raw_claims(lambda c: c.replace(b"{", b'{"aud":"sensos-api",', 1))
    for number, claims in enumerate((b"[]", b"null", b'"x"', b"no JSON", b"{}")):
        yield f"e19-{number}", _raw_claims(lambda _, c=claims: c)  # type: ignore[misc]
    yield "e19-bom", _raw_claims(lambda c: b"\xef\xbb\xbf" + c)
    yield "e20-deep", _raw_claims(lambda c: c.replace(b"{", b'{"x":' + b"[" * 2000 + b"]" * 2000 + b",", 1))
    yield (
        "e21-id-token",
        lambda forge: forge.token(
            forge.header(typ="JWT"), {"iss": forge.service.base_url, "sub": "user", "aud": "sensos-api", "exp": 1 << 31}
        ),
    )
    for number, scope in enumerate((None, 1, [], ["vehicles:read"], "", "a  b", "a\0b")):
        yield f"e23-scope-{number}", _claims(scope=scope)
    yield "e26-bound-to-a-key", _claims(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})
    yield "h11-key-of-another-issuer", lambda forge: ATTACKER.sign(ATTACKER.header(), forge.claims())
    yield "h11-under-our-kid", lambda forge: ATTACKER.sign(ATTACKER.header(kid=forge.kid), forge.claims())


ATTACKS: dict[str, Make] = dict([*_header_attacks(), *_content_attacks(), *_signature_attacks(), *_claims_attacks()])
LARGE_ATTACKS: dict[str, Make] = {  # which some HTTP servers refuse themselves
    "c29": _raw_header(lambda h: h.replace(b"}", b',"a":"' + b"a" * 9000 + b'"}', 1)),
    "d22": lambda forge: forge.token() + "A" * 8192,
}
