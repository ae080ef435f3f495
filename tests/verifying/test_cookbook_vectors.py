"""The examples of RFC 7520 (the JOSE cookbook) and RFC 7797: which keys are loaded, which signatures hold.

None of them is an access token, and no verifier takes one for it; see test_signature_vectors.py for the other RFCs.
"""

import json
from typing import Any

import pytest
from joserfc.jwk import JWKRegistry

from sensos_auth.issuing.minting import base64url
from sensos_auth.model.errors import InvalidInput
from sensos_auth.verifying import ForeignIssuer, InvalidToken, VerificationKey, Verifier, parse_jwks
from sensos_auth.verifying.compact_jws import CompactJws, parse_compact_jws
from tests.vectors import read_vectors, vector_files
from tests.verifying.issued import AUDIENCE, ISSUER, as_bytes

SIGNED: dict[str, Any] = {
    file.stem: read_vectors(f"jose-cookbook/{folder}/{file.name}")
    for folder in ("jws", "rfc7797")
    for file in vector_files(f"jose-cookbook/{folder}/*.json")
}
JWKS: dict[str, Any] = {
    file.stem: read_vectors(f"jose-cookbook/jwk/{file.name}") for file in vector_files("jose-cookbook/jwk/*.json")
}
COMPACT = [
    "4_1.rsa_v15_signature",
    "4_2.rsa-pss_signature",
    "4_3.ecdsa_signature",
    "4_4.hmac-sha2_integrity_protection",
]
DETACHED = "4_5.signature_with_detached_content"
UNENCODED = "hmac-sha2_b64_false"
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi"}


def _key(example: dict[str, Any]) -> VerificationKey:
    jwk, algorithm = example["input"]["key"], example["input"]["alg"]
    if jwk["kty"] == "oct":  # which the product never loads
        return VerificationKey("k", algorithm, JWKRegistry.import_key(jwk))
    public = {name: value for name, value in jwk.items() if name not in _PRIVATE}
    [key] = parse_jwks(as_bytes({"keys": [public]}), ForeignIssuer(algorithms={algorithm})).values()
    assert (key.kid, key.algorithm) == (jwk["kid"], algorithm)
    return key


def test_all_examples_are_there() -> None:
    """Ten signed examples and six keys."""
    assert (len(SIGNED), len(JWKS)) == (10, 6)
    assert {*COMPACT, DETACHED, UNENCODED} < set(SIGNED)


@pytest.mark.parametrize("name", COMPACT)
def test_signed_examples_verify_in_the_signature_layer(name: str) -> None:
    """RS256, PS384, ES512 and HS256 verify with their keys, and with one bit changed they don't."""
    example = SIGNED[name]
    key = _key(example)
    jws = parse_compact_jws(example["output"]["compact"])
    assert jws.payload == example["input"]["payload"].encode()
    assert key.verifies(jws)
    for position in (0, len(jws.signature) // 2, -1):
        changed = bytearray(jws.signature)
        changed[position] ^= 1
        assert not key.verifies(CompactJws(jws.header, jws.algorithm, jws.payload, jws.signing_input, bytes(changed)))


def test_detached_payload_is_part_of_what_was_signed() -> None:
    """Without its payload the example does not verify; with it put back it does."""
    example = SIGNED[DETACHED]
    key, compact = _key(example), example["output"]["compact"]
    assert not key.verifies(parse_compact_jws(compact))
    payload = base64url(example["input"]["payload"].encode()).decode()
    assert key.verifies(parse_compact_jws(compact.replace("..", f".{payload}.")))


def test_c22_unencoded_payload_is_refused() -> None:
    """The example of RFC 7797 in the compact serialization is refused, in its form and with its payload encoded."""
    compact = SIGNED[UNENCODED]["output"]["compact"]
    protected, signature = compact.partition(".")[0], compact.rpartition(".")[2]
    payload = base64url(SIGNED[UNENCODED]["input"]["payload"].encode()).decode()
    for jws in (compact, f"{protected}.{payload}.{signature}", f"{protected}..{signature}"):
        with pytest.raises(InvalidToken):
            parse_compact_jws(jws)


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name, example in SIGNED.items() for form in sorted(example["output"])]
)
def test_d19_no_example_is_an_access_token(name: str, form: str) -> None:
    """In none of its serializations, even by a verifier to which every key ID is the example's key."""
    example = SIGNED[name]
    written = example["output"][form]
    keys = example["input"]["key"] if isinstance(example["input"]["key"], list) else [example["input"]["key"]]
    algorithms = example["input"]["alg"] if isinstance(example["input"]["alg"], list) else [example["input"]["alg"]]
    for jwk, algorithm in zip(keys, algorithms, strict=True):
        the_key = VerificationKey("k", algorithm, JWKRegistry.import_key(jwk))

        class TheKey:
            def find(self, kid: str, the_key: VerificationKey = the_key) -> VerificationKey:
                assert kid
                return the_key

        with pytest.raises(InvalidToken):
            Verifier(issuer=ISSUER, audience=AUDIENCE, keys=TheKey()).verify(
                written if isinstance(written, str) else json.dumps(written)
            )


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [("3_1.ec_public_key", "ES512"), ("3_3.rsa_public_key", "RS256"), ("3_3.rsa_public_key", "PS384")],
)
def test_public_keys_are_loaded_for_one_algorithm(name: str, algorithm: str) -> None:
    """A public key without alg is for the only algorithm of the profile that fits; our own issuer names it."""
    document = as_bytes({"keys": [JWKS[name]]})
    [key] = parse_jwks(document, ForeignIssuer(algorithms={algorithm})).values()
    assert key.algorithm == algorithm
    for others in ({"ES256", "EdDSA"}, {"RS256", "PS384", "ES512", "ES384"} - ({"ES512"} if "ec" in name else set())):
        with pytest.raises(InvalidInput, match="no key that can verify"):
            parse_jwks(document, ForeignIssuer(algorithms=others))
    with pytest.raises(InvalidInput, match="no key that can verify"):
        parse_jwks(document)


@pytest.mark.parametrize("name", [name for name in JWKS if "private" in name or "symmetric" in name])
def test_f01_f02_private_and_symmetric_keys_are_refused(name: str) -> None:
    """A set with one of them is refused, also beside a good key."""
    for keys in ([JWKS[name]], [JWKS["3_1.ec_public_key"] | {"kid": "other"}, JWKS[name]]):
        with pytest.raises(InvalidInput, match="symmetric or private"):
            parse_jwks(as_bytes({"keys": keys}), ForeignIssuer(algorithms={"ES512", "RS256"}))
