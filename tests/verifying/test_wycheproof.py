"""Project Wycheproof's JWS and JWK vectors against the layers that the verifier is made of.

The verifier itself accepts none of them, because none is typed as an access token: so what stands between a token and
its claims is run without that one check, with the keys that are no keys of ours (HS256, PS256, …) put in by hand.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from joserfc.jwk import JWKRegistry

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.signing_key import ALGORITHMS
from sensos_auth.verifying import InvalidToken, VerificationKey, Verifier, parse_jwks
from sensos_auth.verifying.compact_jws import parse_compact_jws
from tests.vectors import read_vectors
from tests.verifying.issued import AUDIENCE, ISSUER, as_bytes

JWS = read_vectors("wycheproof/json_web_signature_test.json")
JWK = read_vectors("wycheproof/json_web_key_test.json")
DISPUTED = {case["tcId"]: case["strict"] for case in read_vectors("wycheproof/EXCEPTIONS.json")["exceptions"]}
PRIVATE = {"d", "p", "q", "dp", "dq", "qi"}


def _cases(vectors: dict[str, Any]) -> list[Any]:
    return [
        pytest.param(group.get("public") or group["private"], test, id=f"d27-{test['tcId']}-{test['comment']}")
        for group in vectors["testGroups"]
        for test in group["tests"]
    ]


def signature_layer_accepts(key: VerificationKey | None, jws: str) -> bool:
    """Tell what the verifier's signature layer says of the JWS, but for ``typ``: strict form, then the bound key."""
    try:
        parsed = parse_compact_jws(jws)
    except InvalidToken:
        return False
    return key is not None and key.verifies(parsed)


def key_of(jwk: Mapping[str, Any]) -> VerificationKey | None:
    """Return the key as the product loads it, or as it would be if the product had its algorithm."""
    public = {name: value for name, value in jwk.items() if name not in PRIVATE} | {"kid": "wycheproof"}
    if jwk["kty"] == "oct" or (jwk["kty"] == "RSA" and jwk.get("alg") not in {*ALGORITHMS, None}):
        return VerificationKey("wycheproof", jwk["alg"], JWKRegistry.import_key(public))
    try:
        return parse_jwks(as_bytes({"keys": [public]})).get("wycheproof")
    except InvalidInput:
        return None


class NoRestraint:
    """Finds the one key whatever the key ID, so that nothing but the profile refuses."""

    def __init__(self, key: VerificationKey) -> None:
        self._key = key

    def find(self, kid: str) -> VerificationKey:
        """Return the key."""
        assert kid
        return self._key


def test_all_vectors_are_there() -> None:
    """401 JWS vectors, 8 of them disputed, and 26 JWK vectors."""
    assert (len(_cases(JWS)), len(DISPUTED), len(_cases(JWK))) == (401, 8, 26)


@pytest.mark.parametrize(("jwk", "test"), _cases(JWS))
def test_signature_layer_agrees_with_each_jws_vector(jwk: Mapping[str, Any], test: Mapping[str, Any]) -> None:
    """393 vectors as marked; the 8 disputed ones as EXCEPTIONS.json reasons."""
    expected = DISPUTED.get(test["tcId"], "accept" if test["result"] == "valid" else "reject")
    assert signature_layer_accepts(key_of(jwk), test["jws"]) is (expected == "accept")


@pytest.mark.parametrize(("jwk", "test"), [case for case in _cases(JWS) if key_of(case.values[0])])
def test_verifier_accepts_no_jws_vector(jwk: Mapping[str, Any], test: Mapping[str, Any]) -> None:
    """None of them is an access token, even with its key at hand."""
    key = key_of(jwk)
    assert key is not None
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=NoRestraint(key))
    with pytest.raises(InvalidToken):
        verifier.verify(test["jws"])


@pytest.mark.parametrize(("jwks", "test"), _cases(JWK))
def test_key_sets_are_loaded_or_refused(jwks: Mapping[str, Any], test: Mapping[str, Any]) -> None:
    """A set as marked, but for symmetric keys, which are never loaded: a valid vector with one is refused too."""
    symmetric = any(jwk["kty"] == "oct" for jwk in jwks["keys"])
    try:
        keys = parse_jwks(as_bytes(jwks))
        jws = parse_compact_jws(test["jws"])
    except (InvalidInput, InvalidToken):
        accepted = False
    else:
        key = keys.get(str(jws.header["kid"]))
        accepted = key is not None and key.verifies(jws)
    assert accepted is (test["result"] == "valid" and not symmetric)


@pytest.mark.parametrize(("jwks", "test"), [case for case in _cases(JWK) if case.values[1]["result"] == "valid"])
def test_valid_jwk_vectors_verify_below_the_loader(jwks: Mapping[str, Any], test: Mapping[str, Any]) -> None:
    """The signature layer agrees with each valid vector, also where the loader refuses its key for being symmetric."""
    assert signature_layer_accepts(key_of(jwks["keys"][0]), test["jws"])
