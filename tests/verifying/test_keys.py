import pytest
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from sensos_auth.verifying import VerificationKey
from sensos_auth.verifying.compact_jws import parse_compact_jws
from tests.verifying.issued import GOOD_TOKEN, KEY, IssuingKey


def _key(issuing: IssuingKey, algorithm: str) -> VerificationKey:
    return VerificationKey(issuing.pair.kid, algorithm, ECKey.import_key(dict(issuing.jwk)))


def test_key_verifies_what_it_signed() -> None:
    """A key verifies the token of its own private half, and of no other."""
    jws = parse_compact_jws(GOOD_TOKEN)
    assert _key(KEY, "ES256").verifies(jws)
    assert not _key(IssuingKey(), "ES256").verifies(jws)


def test_c04_algorithm_of_the_key_decides() -> None:
    """A token that names another algorithm than the key's is not verified, whatever its signature."""
    jws = parse_compact_jws(KEY.sign(KEY.header(alg="ES384"), b"{}"))
    assert not _key(KEY, "ES256").verifies(jws)


@pytest.mark.parametrize("algorithm", ["ES384", "RS256", "EdDSA"])
def test_key_and_algorithm_must_fit(algorithm: str) -> None:
    """A P-256 key can't be made a key for another algorithm."""
    with pytest.raises(JoseError):
        _key(KEY, algorithm)


def test_representation_is_short() -> None:
    """The representation names key ID and algorithm only."""
    key = VerificationKey("k", "EdDSA", OKPKey.generate_key("Ed25519"))
    assert repr(key) == "VerificationKey(kid='k', algorithm='EdDSA')"
