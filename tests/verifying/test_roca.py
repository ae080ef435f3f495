from hypothesis import given, settings
from hypothesis import strategies as st

from sensos_auth.verifying.roca import is_roca_modulus

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
