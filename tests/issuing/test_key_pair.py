import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sensos_auth.issuing.key_pair import load_signature_function, new_key_pair
from sensos_auth.model.signing_key import ALGORITHMS, Algorithm

# RFC 7638 section 3.2: the members that the thumbprint is made of, in this order.
_REQUIRED = {"ES256": ("crv", "kty", "x", "y"), "RS256": ("e", "kty", "n"), "EdDSA": ("crv", "kty", "x")}
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_key_id_is_the_rfc_7638_thumbprint(algorithm: Algorithm) -> None:
    """``kid`` is the SHA-256 thumbprint, computed here by hand from the public JWK."""
    pair = new_key_pair(algorithm)
    public = json.loads(pair.public_jwk)
    canonical = json.dumps({name: public[name] for name in _REQUIRED[algorithm]}, separators=(",", ":"))
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()
    assert pair.kid == public["kid"] == thumbprint


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_f01_public_jwk_has_no_private_member(algorithm: Algorithm) -> None:
    """The public JWK says what the key is for, and nothing of the private half."""
    public = json.loads(new_key_pair(algorithm).public_jwk)
    assert (public["alg"], public["use"]) == (algorithm, "sig")
    assert not _PRIVATE & set(public)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_representation_hides_the_private_key(algorithm: Algorithm) -> None:
    """A key pair that is printed by mistake shows its ID only."""
    pair = new_key_pair(algorithm)
    assert repr(pair) == f"KeyPair(kid={pair.kid!r}, algorithm={algorithm!r})"


def test_every_key_pair_is_another() -> None:
    """No two calls return the same key."""
    assert len({new_key_pair("ES256").kid for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("message", "r", "s"),
    [
        (
            b"sample",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            b"test",
            "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
            "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
        ),
    ],
)
def test_es256_is_deterministic_as_in_rfc_6979(message: bytes, r: str, s: str) -> None:
    """The signatures of RFC 6979 appendix A.2.5 (P-256, SHA-256), in the form of RFC 7518 section 3.4."""
    number = int("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721", 16)
    private_key = ec.derive_private_key(number, ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert load_signature_function("ES256", private_key)(message) == bytes.fromhex(r + s)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_private_key_is_pkcs_8(algorithm: Algorithm) -> None:
    """The stored format can be read by any other program (RFC 5958)."""
    private_key = new_key_pair(algorithm).private_key
    key = serialization.load_der_private_key(private_key, password=None)
    again = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert again == private_key


def test_key_of_another_algorithm_is_refused() -> None:
    """A key never signs for an algorithm that it was not made for."""
    with pytest.raises(TypeError, match="not a private key for RS256"):
        load_signature_function("RS256", new_key_pair("ES256").private_key)
