from hypothesis import given, settings
from hypothesis import strategies as st

from sensos_auth.issuing.minting import base64url
from sensos_auth.verifying import parse_jwks
from sensos_auth.verifying.roca import is_roca_modulus
from tests.verifying.issued import IssuingKey, as_bytes

_PRIMORIAL = 1
for _p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103):
    _PRIMORIAL *= _p
for _p in (107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167):
    _PRIMORIAL *= _p


@settings(max_examples=50)
@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.integers(0, 1 << 60), st.integers(0, 1 << 60))
def test_moduli_of_the_flawed_form_are_found(a: int, b: int, k: int, m: int) -> None:
    """The product of two numbers of the form k*M + 65537**a mod M carries the fingerprint (CVE-2017-15361)."""
    one = k * _PRIMORIAL + pow(65537, a, _PRIMORIAL)
    other = m * _PRIMORIAL + pow(65537, b, _PRIMORIAL)
    assert is_roca_modulus(one * other)


@settings(max_examples=200)
@given(st.integers(1 << 2047, (1 << 2048) - 1))
def test_other_moduli_are_not(number: int) -> None:
    """An arbitrary number of 2 048 bits does not carry it."""
    assert not is_roca_modulus(number)


def test_f03_such_a_key_is_passed_over() -> None:
    """A key of 2 048 bits with the fingerprint is not used, and does not stand in the way of a good one."""
    good = IssuingKey("RS256")
    one, other = (
        (3 << 1022) // _PRIMORIAL * _PRIMORIAL + pow(65537, exponent, _PRIMORIAL) for exponent in (1_000_003, 1_000_033)
    )
    modulus = one * other
    assert modulus.bit_length() == 2048
    factored = good.jwk | {"kid": "factored", "n": base64url(modulus.to_bytes(256)).decode()}
    assert set(parse_jwks(as_bytes({"keys": [factored, good.jwk]}))) == {good.pair.kid}
    sound = factored | {"n": base64url((modulus + 2).to_bytes(256)).decode()}
    assert set(parse_jwks(as_bytes({"keys": [sound, good.jwk]}))) == {"factored", good.pair.kid}
