"""The body of a token request: read quickly where nothing is in doubt, to the letter elsewhere, with one verdict."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensos_auth.issuing.issuer import LARGEST_FIELD
from sensos_auth.model.errors import InvalidInput
from sensos_auth.server.token_request import parse_token_request

FIELDS = ("tenantId", "applicationId", "applicationSecret")
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=LARGEST_FIELD)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(st.tuples(TEXT, TEXT, TEXT), st.permutations(FIELDS), st.sampled_from([True, False]), st.sampled_from([None, 1]))
def test_credentials_are_read_as_written(
    values: tuple[str, str, str], order: list[str], ensure_ascii: object, indent: int | None
) -> None:
    """Escaped or not, in any order, with any white space."""
    credentials = dict(zip(FIELDS, values, strict=True))
    document = json.dumps({name: credentials[name] for name in order}, ensure_ascii=bool(ensure_ascii), indent=indent)
    shown = parse_token_request(document.encode())
    assert (shown.tenant_id, shown.application_id, shown.application_secret) == values


@given(st.binary(max_size=300) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_invalid_input(body: bytes) -> None:
    """And no other exception, whatever the bytes; the message repeats none of them."""
    with pytest.raises(InvalidInput) as refused:
        parse_token_request(body)
    assert len(str(refused.value)) < 120


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES, max_size=3), st.dictionaries(st.text(), JSON_VALUES))
def test_wrong_fields_are_named(fields: dict[str, object], others: dict[str, object]) -> None:
    """The first that is missing, no string, empty, too long or holds control characters; others are ignored."""

    def is_good(value: object) -> bool:
        return isinstance(value, str) and bool(value) and value.isprintable()

    wrong = [name for name in FIELDS if not is_good(fields.get(name))]
    if wrong and all(not isinstance(value, str) or value.isprintable() for value in fields.values()):
        with pytest.raises(InvalidInput, match=f"^{wrong[0]} "):
            parse_token_request(json.dumps(others | fields).encode())


@given(st.sampled_from(FIELDS), TEXT)
def test_a07_no_member_twice_on_either_path(field: str, value: str) -> None:
    """With exactly as many quotation marks as the quick path expects, and with more."""
    rest = [name for name in FIELDS if name != field][:1]
    pairs = [(field, value), (field, value), *((name, value) for name in rest)]
    for extra in ([], [("note", "x")]):
        members = ",".join(f"{json.dumps(name)}:{json.dumps(text)}" for name, text in pairs + extra)
        with pytest.raises(InvalidInput, match="given twice"):
            parse_token_request(f"{{{members}}}".encode())


def test_secret_is_not_shown() -> None:
    """The representation of what was read hides it."""
    shown = parse_token_request(json.dumps(dict.fromkeys(FIELDS, "canary-4711")).encode())
    assert "4711" not in repr(shown)


@pytest.mark.parametrize(
    "body", [b'{"tenantId":"canary-4711"}', b'["canary-4711"]', b'{"canary-4711":1,"canary-4711":1}']
)
def test_exception_holds_nothing_of_the_body(body: bytes) -> None:
    """Nor does what it was raised from."""
    with pytest.raises(InvalidInput) as refused:
        parse_token_request(body)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    assert "4711" not in str(refused.value)
