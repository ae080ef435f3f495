import pytest

from sensos_auth.verifying.algorithms import ALGORITHMS, fitting_algorithms

RSA = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}


@pytest.mark.parametrize(
    ("jwk", "algorithms"),
    [
        ({"kty": "EC", "crv": "P-256"}, {"ES256"}),
        ({"kty": "EC", "crv": "P-384"}, {"ES384"}),
        ({"kty": "EC", "crv": "P-521"}, {"ES512"}),
        ({"kty": "OKP", "crv": "Ed25519"}, {"EdDSA"}),
        ({"kty": "RSA"}, RSA),
        ({"kty": "RSA", "crv": "P-256"}, RSA),
        ({"kty": "EC", "crv": "Ed25519"}, set()),
        ({"kty": "OKP", "crv": "P-256"}, set()),
        ({"kty": "EC", "crv": "secp256k1"}, set()),
        ({"kty": "OKP", "crv": "Ed448"}, set()),
        ({"kty": "OKP", "crv": "X25519"}, set()),
        ({"kty": "EC"}, set()),
        ({"kty": "oct"}, set()),
        ({"kty": ["RSA"]}, set()),
        ({"kty": "EC", "crv": ["P-256"]}, set()),
        ({}, set()),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_key_type_and_curve_tell_the_algorithms(jwk: dict[str, object], algorithms: set[str]) -> None:
    """RFC 7518 section 3.1 and RFC 8037: a curve has one algorithm, RSA has six, all else has none."""
    assert fitting_algorithms(jwk) == algorithms


def test_c05_no_algorithm_has_a_shared_key() -> None:
    """Neither HMAC nor none is among them."""
    assert {"ES256", "ES384", "ES512", "EdDSA"} | RSA == ALGORITHMS
