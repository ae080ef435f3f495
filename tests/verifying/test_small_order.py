import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from sensos_auth.issuing.minting import base64url
from sensos_auth.verifying import InvalidToken, LocalJwks, Verifier, parse_jwks
from sensos_auth.verifying.small_order import is_small_order
from tests.verifying.issued import AUDIENCE, ISSUER, NOW, IssuingKey, as_bytes, good_claims

FIELD = 2**255 - 19
GOOD = IssuingKey("EdDSA")
OF_ORDER_8 = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
WEAK = {
    "neutral": (1).to_bytes(32, "little"),
    "neutral-with-sign": (1 | 1 << 255).to_bytes(32, "little"),
    "neutral-not-reduced": (1 + FIELD).to_bytes(32, "little"),
    "order-2": (FIELD - 1).to_bytes(32, "little"),
    "order-4": bytes(32),
    "order-4-with-sign": (1 << 255).to_bytes(32, "little"),
    "order-4-not-reduced": FIELD.to_bytes(32, "little"),
    "order-8": OF_ORDER_8,
    "order-8-with-sign": OF_ORDER_8[:31] + b"\xfa",
    "order-8-negative": (FIELD - int.from_bytes(OF_ORDER_8, "little")).to_bytes(32, "little"),
}


def _jwk(public_key: bytes) -> dict[str, str]:
    return GOOD.jwk | {"kid": "weak", "x": base64url(public_key).decode()}


def _is_refused_by_x25519(public_key: bytes) -> bool:
    """Tell what another implementation says of the same point on the other form of the curve (RFC 7748 section 4.1)."""
    y = int.from_bytes(public_key, "little") % (1 << 255)
    u = (1 + y) * pow(1 - y, FIELD - 2, FIELD) % FIELD
    try:
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(u.to_bytes(32, "little")))
    except ValueError:  # the shared secret is all zeros (RFC 7748 section 6.1)
        return True
    return False


def test_d12_nobody_signs_under_the_neutral_point() -> None:
    """The neutral point verifies one and the same signature of every message, so it is no key, and the set has none."""
    neutral = WEAK["neutral"]
    message = b".".join(
        base64url(as_bytes(part)) for part in ({"alg": "EdDSA", "typ": "at+jwt", "kid": "weak"}, good_claims())
    )
    forged = (message + b"." + base64url(neutral + bytes(32))).decode()
    keys = LocalJwks(as_bytes({"keys": [_jwk(neutral), GOOD.jwk]}))
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, clock=lambda: NOW)
    with pytest.raises(InvalidToken) as refused:
        verifier.verify(forged)
    assert refused.value.reason == "unknown key ID"


@pytest.mark.parametrize("name", WEAK)
def test_d12_f03_such_a_key_is_passed_over(name: str) -> None:
    """A point of small order is not used in any encoding, and does not stand in the way of a good key."""
    assert _is_refused_by_x25519(WEAK[name])
    assert set(parse_jwks(as_bytes({"keys": [_jwk(WEAK[name]), GOOD.jwk]}))) == {GOOD.pair.kid}


@settings(max_examples=50)
@given(st.binary(min_size=32, max_size=32))
def test_other_points_are_not(public_key: bytes) -> None:
    """An arbitrary encoding is none of them, in the opinion of X25519 as well."""
    assert is_small_order(public_key) == _is_refused_by_x25519(public_key)
