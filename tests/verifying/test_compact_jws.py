import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.issuing.minting import base64url
from sensos_auth.verifying import InvalidToken
from sensos_auth.verifying.compact_jws import LARGEST_TOKEN, parse_compact_jws
from tests.verifying.issued import GOOD_TOKEN, as_bytes


def _token(header: object, payload: bytes = b"x", signature: bytes = b"s") -> str:
    return b".".join(base64url(part) for part in (as_bytes(header), payload, signature)).decode()


def test_parts_are_the_bytes_that_were_encoded() -> None:
    """Header, payload and signature come out as they went in; the signing input is the text before the last dot."""
    jws = parse_compact_jws(_token({"alg": "ES256"}, b"\x00\xff", b"\xfb\xff"))
    assert jws.header == {"alg": "ES256"}
    assert (jws.algorithm, jws.payload, jws.signature) == ("ES256", b"\x00\xff", b"\xfb\xff")
    assert jws.signing_input == _token({"alg": "ES256"}, b"\x00\xff", b"").rstrip(".").encode()


def test_m12_representation_holds_nothing_of_the_token() -> None:
    """In a traceback with local variables, or a log, the parts of a token do not give it away."""
    shown = repr(parse_compact_jws(GOOD_TOKEN))
    assert "ES256" in shown
    assert not any(text in shown for text in ("client_id", "signature=", *GOOD_TOKEN.split(".")))


def test_d22_largest_token_is_8_kib() -> None:
    """8 192 characters are read, one more is refused."""
    filling = LARGEST_TOKEN - len(_token({"alg": "ES256"}, b""))
    token = _token({"alg": "ES256"}, b"").replace("..", "." + "A" * (filling // 4 * 4) + ".")
    assert LARGEST_TOKEN - 4 < len(token) <= LARGEST_TOKEN
    parse_compact_jws(token)
    with pytest.raises(InvalidToken) as refused:
        parse_compact_jws("A" * (LARGEST_TOKEN + 1))
    assert refused.value.reason == "too large"


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_any_text_is_refused_as_an_invalid_token(text: str) -> None:
    """Nothing but InvalidToken is raised, whatever the text."""
    with pytest.raises(InvalidToken):
        parse_compact_jws(text)


@given(st.binary(), st.binary(min_size=1), st.binary(min_size=1))
def test_any_bytes_in_the_parts_are_refused_as_an_invalid_token(
    header: bytes, payload: bytes, signature: bytes
) -> None:
    """Well-encoded parts with any bytes in them raise nothing but InvalidToken."""
    with pytest.raises(InvalidToken):
        parse_compact_jws(_token(header, payload, signature))


@given(st.integers(0, len(GOOD_TOKEN) - 1), st.characters())
def test_d15_foreign_characters_are_refused_anywhere(position: int, character: str) -> None:
    """A character outside the alphabet of base64url, put anywhere, is refused."""
    if character.isascii() and (character.isalnum() or character in "-_"):
        return
    with pytest.raises(InvalidToken):
        parse_compact_jws(GOOD_TOKEN[:position] + character + GOOD_TOKEN[position:])


@pytest.mark.parametrize(
    "name", ["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "cty", "enc", "zip", "epk", "p2c"]
)
@pytest.mark.parametrize("value", [None, "", True, [], "JWT"], ids=repr)
def test_c31_refused_members_are_refused_even_when_empty(name: str, value: object) -> None:
    """A member with which a token could choose its key or another reading is refused, even null."""
    with pytest.raises(InvalidToken):
        parse_compact_jws(_token({"alg": "ES256", name: value}))
