import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.issuing.minting import base64url
from sensos_auth.verifying.base64url import decode_base64url


@given(st.binary())
def test_text_of_any_bytes_is_read(data: bytes) -> None:
    """What the issuing side writes comes back."""
    assert decode_base64url(base64url(data).decode()) == data


@given(st.text())
def test_no_two_texts_are_the_same_bytes(text: str) -> None:
    """A text is refused, or is the one text of its bytes."""
    try:
        data = decode_base64url(text)
    except ValueError:
        return
    assert base64url(data).decode() == text


@pytest.mark.parametrize(
    "text", ["A", "AAAAA", "AB", "AAB", "AA==", "AAA=", "+_AA", "/-AA", "AA A", "AA\n", "AA?A", "ÄA"]
)
def test_other_writings_are_refused(text: str) -> None:
    """Impossible lengths, stray bits, padding, the other alphabet and foreign characters are ValueErrors."""
    with pytest.raises(ValueError):  # noqa: PT011 - binascii.Error among them
        decode_base64url(text)
