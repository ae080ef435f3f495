import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.scope import normalize_scope

_name = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1, max_size=9)


@pytest.mark.parametrize(
    ("given_scope", "normal"), [("", ""), ("  ", ""), ("a", "a"), (" b  a b", "b a"), ("read:x/y.z", "read:x/y.z")]
)
def test_normal_form(given_scope: str, normal: str) -> None:
    """Single spaces, each name once, in the given order."""
    assert normalize_scope(given_scope) == normal


@given(st.lists(_name))
def test_normal_form_is_stable(names: list[str]) -> None:
    """Normalizing keeps every name, and a normal form as it is."""
    normal = normalize_scope("  ".join(names))
    assert normalize_scope(normal) == normal
    assert set(filter(None, normal.split(" "))) == set(names)


@pytest.mark.parametrize("scope", ['a"', "a\\b", "a\tb", "a\nb", "ä", "a\x00", "a\x7f", "x" * 1025])
def test_what_rfc_6749_forbids_is_refused(scope: str) -> None:
    """RFC 6749 section 3.3: printable ASCII but quotation mark and backslash; ours: 1 024 characters in all."""
    with pytest.raises(InvalidInput, match="scope"):
        normalize_scope(scope)
