"""ATTACKS group C: tokens signed with the right key, or a plausible wrong one, whose header is not to be followed."""

import hashlib
import hmac
import json
import socket
from typing import Never

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import ECKey, RSAKey

from sensos_auth.issuing.minting import base64url
from sensos_auth.verifying import InvalidToken, LocalJwks, Verifier
from tests.verifying.issued import (
    AUDIENCE,
    GOOD_TOKEN,
    ISSUER,
    KEY,
    NOW,
    VERIFIER,
    IssuingKey,
    as_bytes,
    good_claims,
    jwks_of,
    verifier_for,
)

RSA = IssuingKey("RS256")
ED = IssuingKey("EdDSA")
ATTACKER = IssuingKey()
KID = KEY.pair.kid


def _refused(token: str, verifier: Verifier = VERIFIER) -> str:
    with pytest.raises(InvalidToken) as refused:
        verifier.verify(token)
    return refused.value.reason


def _signed_with_hmac(secret: bytes, header: object, digest: str = "sha256") -> str:
    message = base64url(as_bytes(header)) + b"." + base64url(as_bytes(good_claims()))
    return (message + b"." + base64url(hmac.digest(secret, message, digest))).decode()


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "noNE"])
@pytest.mark.parametrize("signature", ["", "AA", GOOD_TOKEN.rpartition(".")[2]], ids=["empty", "short", "other"])
def test_c01_algorithm_none_is_refused(algorithm: str, signature: str) -> None:
    """No spelling of "none" is an algorithm, with whatever signature."""
    _refused(KEY.sign(KEY.header(alg=algorithm), good_claims()).rpartition(".")[0] + "." + signature)


@pytest.mark.parametrize("algorithm", [None, 0, True, [], {}, "", ["ES256"], {"alg": "ES256"}], ids=repr)
def test_c02_algorithm_must_be_a_name(algorithm: object) -> None:
    """An algorithm that is not a string is refused as none, and the empty one as another than the key's."""
    expected = "wrong signature" if algorithm == "" else "the header names no algorithm"
    assert _refused(KEY.sign(KEY.header(alg=algorithm), good_claims())) == expected


def test_c02_algorithm_must_be_there() -> None:
    """A header without an algorithm is refused."""
    _refused(KEY.sign({"typ": "at+jwt", "kid": KID}, good_claims()))


@pytest.mark.parametrize("algorithm", [" ES256", "ES256 ", "ES256\0", "es256", "Es256", "ES-256"], ids=repr)
def test_c03_algorithm_is_compared_exactly(algorithm: str) -> None:
    """Case, spaces and NUL are not forgiven."""
    _refused(KEY.sign(KEY.header(alg=algorithm), good_claims()))


@pytest.mark.parametrize("key", [KEY, RSA, ED], ids=lambda key: key.algorithm)
@pytest.mark.parametrize("other", [KEY, RSA, ED], ids=lambda key: key.algorithm)
def test_c04_c11_algorithm_is_the_keys(key: IssuingKey, other: IssuingKey) -> None:
    """A token under the key ID of one key, signed with another key and its algorithm, is refused."""
    verifier = verifier_for(KEY, RSA, ED)
    token = other.sign(other.header(kid=key.pair.kid), good_claims())
    if key is other:
        assert verifier.verify(token).tenant_id
    else:
        assert _refused(token, verifier) == "wrong signature"


def _public_forms(key: IssuingKey) -> dict[str, bytes]:
    imported = (RSAKey if key is RSA else ECKey).import_key(dict(key.jwk))
    public = imported.public_key
    spki = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    forms = {
        "spki-pem": spki,
        "spki-pem-without-newline": spki.strip(),
        "spki-pem-crlf": spki.replace(b"\n", b"\r\n"),
        "c06-space-before": b" " + spki,
        "c06-comment-before": b"# key\n" + spki,
        "der": public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        "jwk": key.pair.public_jwk.encode(),
        "jwk-compact": json.dumps(key.jwk, separators=(",", ":")).encode(),
        "jwks": jwks_of(key).encode(),
        "kid": key.pair.kid.encode(),
        "c07-empty": b"",
        "null": b"null",
    }
    if key is RSA:
        forms["pkcs1-pem"] = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
        forms["modulus"] = key.jwk["n"].encode()
    else:
        forms["x-and-y"] = public.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )[1:]
    return forms


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize(
    ("key", "secret"),
    [
        pytest.param(key, secret, id=f"{key.algorithm}-{form}")
        for key in (KEY, RSA)
        for form, secret in _public_forms(key).items()
    ],
)
def test_c05_public_key_is_no_hmac_secret(key: IssuingKey, secret: bytes, digest: str) -> None:
    """HS256, HS384 and HS512 with any form of the public key as the secret are refused."""
    verifier = verifier_for(KEY, RSA)
    for algorithm in (digest.replace("sha", "HS"), key.algorithm):
        _refused(_signed_with_hmac(secret, key.header(alg=algorithm), digest), verifier)


@pytest.mark.parametrize("secret", [b"", b"\0" * 32, b"secret"], ids=["empty", "zeros", "word"])
def test_c07_unknown_key_id_has_no_default_key(secret: bytes) -> None:
    """A token under a key ID that nobody has is refused as such."""
    token = _signed_with_hmac(secret, {"alg": "HS256", "typ": "at+jwt", "kid": "unknown"})
    assert _refused(token) == "unknown key ID"


@pytest.mark.parametrize(
    "algorithm", ["RS256", "RS384", "PS256", "PS512", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "Ed448", "HS256"]
)
def test_c09_other_algorithms_are_refused(algorithm: str) -> None:
    """A token that claims another algorithm than its key's is refused, well signed or not."""
    assert _refused(KEY.sign(KEY.header(alg=algorithm), good_claims())) == "wrong signature"


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"jwk": ATTACKER.jwk}, id="c12-jwk"),
        pytest.param({"jwk": ATTACKER.jwk | {"kid": KID}}, id="c12-jwk-with-our-kid"),
        pytest.param({"jwk": KEY.jwk}, id="c12-our-own-jwk"),
        pytest.param({"jku": "http://127.0.0.1:1/jwks.json"}, id="c13-jku"),
        pytest.param({"jku": f"{ISSUER}/redirect?to=//evil.example"}, id="c14-jku-open-redirect"),
        pytest.param({"jku": f"{ISSUER}@evil.example/"}, id="c14-jku-userinfo"),
        pytest.param({"jku": f"https://evil.example#{ISSUER}"}, id="c14-jku-fragment"),
        pytest.param({"jku": f"https://evil.example\\{ISSUER}"}, id="c14-jku-backslash"),
        pytest.param({"x5u": "http://127.0.0.1:1/cert.pem"}, id="c13-x5u"),
        pytest.param({"x5c": ["AAAA"]}, id="c13-x5c"),
        pytest.param({"x5t": "AAAA"}, id="c13-x5t"),
        pytest.param({"x5t#S256": "AAAA"}, id="c13-x5t-s256"),
    ],
)
@pytest.mark.parametrize("key", [KEY, ATTACKER], ids=["our-signature", "attackers-signature"])
def test_c12_c13_c14_token_brings_no_key(
    key: IssuingKey, members: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key in the token, or an address of one, is refused without a look at the network."""

    def no_network(*_: object, **__: object) -> Never:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    assert _refused(key.sign(KEY.header(**members), good_claims())) == "the header has a member that is refused"


@pytest.mark.parametrize(
    "kid",
    [
        pytest.param(None, id="c17-null"),
        pytest.param(1, id="c17-number"),
        pytest.param([KID], id="c17-list"),
        pytest.param({"kid": KID}, id="c17-object"),
        pytest.param("", id="c17-empty"),
        pytest.param("a" * 65, id="c17-65-characters"),
        pytest.param("a" * 4000, id="c17-4000-characters"),
        pytest.param("ключ", id="c17-non-ascii"),
        pytest.param(KID + "\n", id="c17-newline-after"),
        pytest.param(KID + "\0", id="c17-nul-after"),
        pytest.param("../../../../dev/null", id="c15-dev-null-relative"),
        pytest.param("/dev/null", id="c15-dev-null"),
        pytest.param("/proc/self/environ", id="c15-proc"),
        pytest.param("file:///etc/passwd", id="c15-url"),
        pytest.param("x' UNION SELECT '1';--", id="c16-sql"),
        pytest.param("|sleep 10", id="c16-shell-pipe"),
        pytest.param("$(sleep 10)", id="c16-shell-substitution"),
        pytest.param("{{7*7}}", id="c16-template"),
        pytest.param("%0a", id="c16-percent"),
    ],
)
def test_c15_c16_c17_key_id_of_another_form_is_refused(kid: object) -> None:
    """A key ID that is not 1 to 64 characters of base64url is refused before any key is looked for."""

    class NoKeys:
        def find(self, kid: str) -> Never:
            raise AssertionError(f"looked for {kid}")

    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=NoKeys())
    assert _refused(KEY.sign(KEY.header(kid=kid), good_claims()), verifier) == "no key ID of the right form"


def test_c17_key_id_must_be_there() -> None:
    """A token without a key ID is refused, though the set has one key only."""
    assert _refused(KEY.sign({"alg": "ES256", "typ": "at+jwt"}, good_claims())) == "no key ID of the right form"


@pytest.mark.parametrize(
    "kid",
    ["unknown", ATTACKER.pair.kid, KID[:-1], KID.swapcase()],
    ids=["unknown", "attackers", "shorter", "other-case"],
)
def test_c18_key_id_that_is_not_published_is_refused(kid: str) -> None:
    """A key ID that is not in the set, in exactly this case, is refused."""
    assert _refused(KEY.sign(KEY.header(kid=kid), good_claims())) == "unknown key ID"


@pytest.mark.parametrize(
    "crit", [["exp"], ["b64"], ["x"], [], "exp", [1], ["alg"], ["x", "x"], ["missing"], None], ids=repr
)
def test_c21_critical_extensions_are_refused(crit: object) -> None:
    """We support no extension, so any "crit" is refused (RFC 7515 section 4.1.11)."""
    _refused(KEY.sign(KEY.header(crit=crit, x=1), good_claims()))


@pytest.mark.parametrize("members", [{"b64": False}, {"b64": False, "crit": ["b64"]}, {"b64": True}], ids=repr)
def test_c22_unencoded_payload_is_refused(members: dict[str, object]) -> None:
    """A payload that is not base64url is refused (RFC 7797), and so is saying that it is."""
    _refused(KEY.sign(KEY.header(**members), good_claims()))


@pytest.mark.parametrize(
    "members",
    [
        pytest.param({"zip": "DEF"}, id="c23-zip"),
        pytest.param({"cty": "JWT"}, id="c25-nested"),
        pytest.param({"enc": "A128GCM"}, id="c26-enc"),
        pytest.param({"epk": {}}, id="c26-epk"),
        pytest.param({"p2c": 1 << 31}, id="c26-p2c"),
    ],
)
def test_c23_c25_c26_compressed_nested_and_encrypted_tokens_are_refused(members: dict[str, object]) -> None:
    """Members of other kinds of tokens are refused."""
    _refused(KEY.sign(KEY.header(**members), good_claims()))


@pytest.mark.parametrize("algorithm", ["RSA-OAEP", "PBES2-HS256+A128KW", "dir", "ECDH-ES"])
def test_c26_encrypted_token_is_refused_by_its_parts(algorithm: str) -> None:
    """Five parts are not three."""
    header = base64url(as_bytes({"alg": algorithm, "enc": "A128GCM", "p2c": 1 << 31})).decode()
    assert _refused(f"{header}.AAAA.AAAA.AAAA.AAAA") == "not three parts of base64url"


@pytest.mark.parametrize(
    "token_type",
    [
        *(None, 1, [], ["at+jwt"], "", "JWT", "jwt", "id_token", "dpop+jwt", "client-authentication+jwt", "logout+jwt"),
        *("statuslist+jwt", "at+jwt ", " at+jwt", "at+jwt;x=1", "application/", "text/at+jwt", "application/at+jwt/x"),
        *(
            "at jwt",
            "atXjwt",
            "application/application/at+jwt",
            "at+jwt\n",
            "appl\N{LATIN SMALL LETTER DOTLESS I}cation/at+jwt",
            "rt+jwt",
        ),
    ],
    ids=repr,
)
def test_c24_e21_other_types_are_refused(token_type: object) -> None:
    """Only an access token is typed as one (RFC 9068 section 4)."""
    assert _refused(KEY.sign(KEY.header(typ=token_type), good_claims())) == "not typed as an access token"


def test_c24_type_must_be_there() -> None:
    """A token without a type is refused."""
    assert _refused(KEY.sign({"alg": "ES256", "kid": KID}, good_claims())) == "not typed as an access token"


@pytest.mark.parametrize("token_type", ["at+jwt", "AT+JWT", "at+JWT", "application/at+jwt", "Application/At+Jwt"])
def test_c24_access_token_type_is_accepted_in_any_case(token_type: str) -> None:
    """A media type is compared without regard to case, with or without "application/"."""
    assert VERIFIER.verify(KEY.sign(KEY.header(typ=token_type), good_claims())).tenant_id


_HEADER = json.dumps(KEY.header()).encode()


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"[]", id="c27-list"),
        pytest.param(b'"x"', id="c27-string"),
        pytest.param(b"1", id="c27-number"),
        pytest.param(b"null", id="c27-null"),
        pytest.param(b"true", id="c27-true"),
        pytest.param(b"{", id="c27-no-json"),
        pytest.param(b"{}", id="c27-empty-object"),
        pytest.param(b"", id="c27-empty"),
        pytest.param(_HEADER.replace(b"{", b'{"alg":"none",', 1), id="c28-duplicate-alg-none-first"),
        pytest.param(_HEADER.replace(b"}", b',"alg":"none"}', 1), id="c28-duplicate-alg-none-last"),
        pytest.param(_HEADER.replace(b"}", b',"\\u0061lg":"ES256"}', 1), id="c28-duplicate-by-escape"),
        pytest.param(_HEADER.replace(b"}", b',"a":' + b"[" * 1000 + b"]" * 1000 + b"}", 1), id="c29-depth-1000"),
        pytest.param(_HEADER.replace(b"}", b',"a":"' + b"a" * 1_000_000 + b'"}', 1), id="c29-1-mb"),
        pytest.param(
            _HEADER.replace(b"}", b"".join(b',"%d":0' % n for n in range(10_000)) + b"}", 1), id="c29-10000-members"
        ),
        pytest.param(_HEADER.replace(b"}", b',"a":NaN}', 1), id="c30-nan"),
        pytest.param(b"\xef\xbb\xbf" + _HEADER, id="c30-bom"),
        pytest.param(_HEADER.decode().encode("utf-16"), id="c30-utf-16"),
        pytest.param(_HEADER.replace(b"}", b',"a":"\xff"}', 1), id="c30-invalid-utf-8"),
        pytest.param(_HEADER.replace(b"}", b',"a":"\\ud800"}', 1), id="c30-lone-surrogate"),
        pytest.param(_HEADER + b"\0", id="c30-nul-after"),
    ],
)
def test_c27_c28_c29_c30_header_must_be_one_plain_object(header: bytes) -> None:
    """A header that is not one small JSON object, read in one way only, is refused though well signed."""
    _refused(KEY.sign(header, good_claims()))


def test_c31_unknown_members_are_ignored() -> None:
    """Members that mean nothing to us change nothing."""
    header = KEY.header(future={"a": [1, 2.5, None]}, iss=ISSUER, ALG="none", Jwk=ATTACKER.jwk)
    assert VERIFIER.verify(KEY.sign(header, good_claims())).tenant_id


@pytest.mark.parametrize(
    "header", [json.dumps(KEY.header(), indent=4).encode(), b" \r\n\t" + _HEADER + b"\n "], ids=["indented", "around"]
)
def test_c32_white_space_is_allowed(header: bytes) -> None:
    """White space that JSON allows is allowed."""
    assert VERIFIER.verify(KEY.sign(header, good_claims())).tenant_id


def test_c05_hmac_token_is_really_signed() -> None:
    """The tokens of these tests are well signed with the secret, so it is the verifier that refuses them."""
    message, _, signature = _signed_with_hmac(b"secret", KEY.header(alg="HS256")).rpartition(".")
    assert base64url(hmac.new(b"secret", message.encode(), hashlib.sha256).digest()).decode() == signature


def test_refused_set_is_no_key_set() -> None:
    """A verifier of the attacker's own set accepts the attacker's token: the tokens here are good but for the key."""
    token = ATTACKER.sign(ATTACKER.header(), good_claims())
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=LocalJwks(jwks_of(ATTACKER)), clock=lambda: NOW)
    assert verifier.verify(token).tenant_id
    assert _refused(token) == "unknown key ID"
