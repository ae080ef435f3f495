"""The signature primitives below the verifier, against Project Wycheproof's vectors and the RFCs' own examples."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey

from sensos_auth.verifying import InvalidToken, VerificationKey, Verifier, parse_jwks
from sensos_auth.verifying.compact_jws import CompactJws, parse_compact_jws
from tests.vectors import read_vectors
from tests.verifying.issued import AUDIENCE, ISSUER, as_bytes

FILES = {
    "ES256": "wycheproof/ecdsa_secp256r1_sha256_p1363_test.json",
    "EdDSA": "wycheproof/ed25519_test.json",
    "RS256": "wycheproof/rsa_signature_2048_sha256_test.json",
    "RS256-3072": "wycheproof/rsa_signature_3072_sha256_test.json",
}
RFC_VECTORS: list[dict[str, Any]] = read_vectors("rfc-vectors.json")["vectors"]


def _key(algorithm: str, pem: str) -> Key:
    public_key: Any = load_pem_public_key(pem.encode())
    kinds: dict[str, type[ECKey | OKPKey | RSAKey]] = {"ES256": ECKey, "EdDSA": OKPKey, "RS256": RSAKey}
    return kinds[algorithm].import_key(public_key)


@pytest.mark.parametrize("name", FILES)
def test_d05_d06_d09_d11_d12_signatures_are_judged_as_marked(name: str) -> None:
    """Each signature of the file is verified exactly if it is valid; what is merely acceptable is not."""
    algorithm = name.partition("-")[0]
    wrong, count = [], 0
    for group in read_vectors(FILES[name])["testGroups"]:
        key = VerificationKey("k", algorithm, _key(algorithm, group["publicKeyPem"]))
        for test in group["tests"]:
            jws = CompactJws({}, algorithm, b"", bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
            count += 1
            if key.verifies(jws) is not (test["result"] == "valid"):
                wrong.append((test["tcId"], test["comment"]))
    assert count > 100
    assert wrong == []


def _rfc(kind: str) -> list[Any]:
    return [pytest.param(vector, id=vector["id"]) for vector in RFC_VECTORS if vector["kind"] == kind]


@pytest.mark.parametrize("vector", _rfc("thumbprint"))
def test_key_ids_are_rfc_7638_thumbprints(vector: dict[str, Any]) -> None:
    """The function that names our keys computes the thumbprints of RFC 7638 and RFC 8037."""
    assert JWKRegistry.import_key(vector["key"]).thumbprint() == vector["sha256"]


@pytest.mark.parametrize("vector", [case for case in _rfc("jws") if case.values[0]["signature"] == "valid"])
def test_examples_of_the_rfcs_verify_in_the_signature_layer(vector: dict[str, Any]) -> None:
    """The signed examples of RFC 7515 and RFC 8037 verify with their keys, and with one bit changed they don't."""
    key = VerificationKey("k", vector["alg"], JWKRegistry.import_key(vector["key"]))
    jws = parse_compact_jws(vector["jws"])
    assert key.verifies(jws)
    changed = bytes([jws.signing_input[0] ^ 1]) + jws.signing_input[1:]
    assert not key.verifies(CompactJws(jws.header, jws.algorithm, jws.payload, changed, jws.signature))


@pytest.mark.parametrize("vector", [*_rfc("jws"), *_rfc("dpop")])
def test_examples_of_the_rfcs_are_no_access_tokens(vector: dict[str, Any]) -> None:
    """None of them is accepted, even by a verifier to which every key ID is the example's key."""

    class TheKey:
        def find(self, kid: str) -> VerificationKey | None:
            assert kid
            return VerificationKey("k", vector["alg"], JWKRegistry.import_key(vector["key"]))

    with pytest.raises(InvalidToken):
        Verifier(issuer=ISSUER, audience=AUDIENCE, keys=TheKey()).verify(vector["jws"])


@pytest.mark.parametrize("vector", _rfc("jwks"))
def test_set_of_rfc_7517_gives_its_signature_key(vector: dict[str, Any]) -> None:
    """Of the set in appendix A.1, the key for encryption is passed over and the RS256 key is used."""
    keys = parse_jwks(as_bytes(vector["jwks"]))
    assert {kid: key.algorithm for kid, key in keys.items()} == {"2011-04-29": "RS256"}
