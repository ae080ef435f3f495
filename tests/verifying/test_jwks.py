import json

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from sensos_auth.issuing.minting import base64url
from sensos_auth.model.errors import InvalidInput
from sensos_auth.verifying import LocalJwks, parse_jwks
from sensos_auth.verifying.jwks import LARGEST_JWKS
from tests.verifying.issued import KEY, IssuingKey, jwks_of

RSA = IssuingKey("RS256")
ED = IssuingKey("EdDSA")
MODULUS = RSAKey.import_key(dict(RSA.jwk)).public_key.public_numbers().n
P384 = ECKey.generate_key("P-384").as_dict(private=False)


def _number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8)).decode()


def _jwks(*jwks: object) -> bytes:
    return json.dumps({"keys": jwks}).encode()


def test_usable_keys_are_found_by_key_id() -> None:
    """Keys of all three algorithms come out under their key IDs, each with its algorithm."""
    keys = parse_jwks(jwks_of(KEY, RSA, ED).encode())
    assert {kid: key.algorithm for kid, key in keys.items()} == {
        KEY.pair.kid: "ES256",
        RSA.pair.kid: "RS256",
        ED.pair.kid: "EdDSA",
    }


def test_local_jwks_finds_its_keys_and_no_other() -> None:
    """A local set returns the key of the set, or None; text and bytes are the same."""
    for document in (jwks_of(KEY), jwks_of(KEY).encode()):
        keys = LocalJwks(document)
        found = keys.find(KEY.pair.kid)
        assert found is not None
        assert found.kid == KEY.pair.kid
        assert keys.find("other") is None


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="html"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="no-keys-member"),
        pytest.param(b'{"keys":{}}', id="keys-not-a-list"),
        pytest.param(b'{"keys":[]}', id="f07-no-key"),
        pytest.param(b'{"keys":["a"]}', id="key-not-an-object"),
        pytest.param(b'{"keys":[{}]}', id="f07-key-without-members"),
        pytest.param(_jwks(KEY.jwk, KEY.jwk), id="c20-same-key-twice"),
        pytest.param(_jwks(KEY.jwk, RSA.jwk | {"kid": KEY.pair.kid}), id="c20-two-keys-one-kid"),
        pytest.param(_jwks(KEY.jwk, {"kty": "future", "kid": KEY.pair.kid}), id="c20-kid-of-an-unusable-key"),
        pytest.param(_jwks({"kty": "future", "kid": KEY.pair.kid}, KEY.jwk), id="c20-kid-of-an-unusable-key-before"),
        pytest.param(_jwks(KEY.jwk, OctKey.generate_key().as_dict(private=True)), id="f02-symmetric-beside-public"),
        pytest.param(_jwks(OctKey.generate_key(parameters={"kid": "k"}).as_dict(private=True)), id="f02-symmetric"),
        pytest.param(_jwks(KEY.jwk, {"kty": "oct"}), id="f02-symmetric-without-its-value"),
        pytest.param(_jwks(KEY.jwk, RSA.jwk | {"kid": "x", "d": "AA"}), id="f01-private-member"),
        pytest.param(jwks_of(KEY).replace('"kty"', '"kty":"EC","kty"').encode(), id="duplicate-member"),
        pytest.param(jwks_of(KEY).encode() + b" " * LARGEST_JWKS, id="f06-larger-than-256-kib"),
    ],
)
def test_such_a_set_is_refused(document: bytes) -> None:
    """A set that is malformed, ambiguous, leaks a key or leaves none is InvalidInput."""
    with pytest.raises(InvalidInput):
        parse_jwks(document)


@pytest.mark.parametrize(
    "jwk",
    [
        pytest.param(KEY.jwk | {"use": "enc"}, id="use-enc"),
        pytest.param(KEY.jwk | {"use": 1}, id="use-number"),
        pytest.param(KEY.jwk | {"key_ops": ["encrypt"]}, id="key-ops-without-verify"),
        pytest.param(KEY.jwk | {"key_ops": "verify"}, id="key-ops-not-a-list"),
        pytest.param(KEY.jwk | {"alg": "ES384"}, id="alg-curve-mismatch"),
        pytest.param(KEY.jwk | {"alg": "RS256"}, id="alg-kty-mismatch"),
        pytest.param(KEY.jwk | {"alg": "none"}, id="alg-none"),
        pytest.param(KEY.jwk | {"alg": "HS256"}, id="alg-hs256"),
        pytest.param({k: v for k, v in KEY.jwk.items() if k != "alg"}, id="alg-missing"),
        pytest.param(KEY.jwk | {"alg": None}, id="alg-null"),
        pytest.param(KEY.jwk | {"kty": "RSA"}, id="wrong-kty"),
        pytest.param(KEY.jwk | {"crv": "P-384"}, id="wrong-curve"),
        pytest.param(P384 | {"alg": "ES384", "kid": "k"}, id="p-384"),
        pytest.param(P384 | {"alg": "ES256", "kid": "k"}, id="p-384-for-es256"),
        pytest.param(KEY.jwk | {"x": KEY.jwk["y"]}, id="point-off-the-curve"),
        pytest.param(KEY.jwk | {"x": "AA", "y": "AA"}, id="point-at-infinity"),
        pytest.param(KEY.jwk | {"x": ""}, id="empty-coordinate"),
        pytest.param(KEY.jwk | {"x": "!"}, id="coordinate-not-base64url"),
        pytest.param(KEY.jwk | {"x": 1}, id="coordinate-number"),
        pytest.param(ED.jwk | {"x": "AA"}, id="short-ed25519-key"),
        pytest.param(OKPKey.generate_key("Ed448").as_dict(private=False) | {"alg": "EdDSA", "kid": "k"}, id="ed448"),
        pytest.param(OKPKey.generate_key("X25519").as_dict(private=False) | {"alg": "EdDSA", "kid": "k"}, id="x25519"),
        pytest.param(RSA.jwk | {"e": "AQ"}, id="exponent-1"),
        pytest.param(RSA.jwk | {"e": "Aw"}, id="exponent-3"),
        pytest.param(RSA.jwk | {"e": "AQAA"}, id="exponent-even"),
        pytest.param(RSA.jwk | {"n": _number(MODULUS >> 1024)}, id="rsa-1024"),
        pytest.param(RSA.jwk | {"n": "A" * 400 + _number(MODULUS >> 1025 | 1)}, id="rsa-1023-with-leading-zeros"),
        pytest.param(RSA.jwk | {"n": _number(MODULUS >> 1 | 1)}, id="rsa-2047"),
        pytest.param(RSA.jwk | {"n": _number(MODULUS**5)}, id="rsa-10240"),
        pytest.param(RSA.jwk | {"n": RSA.jwk["n"] + "="}, id="modulus-with-padding"),
        pytest.param(RSA.jwk | {"alg": "PS256"}, id="rsa-for-ps256"),
        pytest.param(KEY.jwk | {"kid": None}, id="kid-null"),
        pytest.param(KEY.jwk | {"kid": 1}, id="kid-number"),
        pytest.param(KEY.jwk | {"kid": ""}, id="kid-empty"),
        pytest.param(KEY.jwk | {"kid": "../../dev/null"}, id="kid-path"),
        pytest.param(KEY.jwk | {"kid": "a" * 65}, id="kid-of-65-characters"),
    ],
)
def test_f03_such_a_key_is_passed_over(jwk: dict[str, object]) -> None:
    """A key that does not fit is not used, and does not stand in the way of a good one."""
    good = IssuingKey()
    assert set(parse_jwks(_jwks(jwk, good.jwk))) == {good.pair.kid}


def test_unknown_members_are_ignored() -> None:
    """RFC 7517 section 5: members that are not understood are ignored, in the set and in the key."""
    jwk = KEY.jwk | {"x5c": ["!"], "iat": 1, "key_ops": ["verify", "future"]}
    assert set(parse_jwks(json.dumps({"keys": [jwk], "issuer": "x"}).encode())) == {KEY.pair.kid}


def test_stronger_rsa_keys_are_used() -> None:
    """An RSA key of 3 072 bits is as good as one of 2 048."""
    jwk = RSAKey.generate_key(3072).as_dict(private=False) | {"alg": "RS256", "kid": "k"}
    assert set(parse_jwks(_jwks(jwk))) == {"k"}
