import pytest

from sensos_auth.verifying.strict_json import parse_object


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b'{"a":1,"a":2}', id="duplicate"),
        pytest.param(b'{"a":1,"\\u0061":2}', id="duplicate-by-escape"),
        pytest.param(b'{"a":[{"b":1,"b":1}]}', id="duplicate-inside"),
        pytest.param(b'{"a":NaN}', id="nan"),
        pytest.param(b'{"a":-Infinity}', id="infinity"),
        pytest.param(b'{"a":1e999}', id="float-out-of-range"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="integer-of-5000-digits"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte-order-mark"),
        pytest.param("{}".encode("utf-16"), id="utf-16"),
        pytest.param(b'{"a":"\xff"}', id="invalid-utf-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="surrogate-in-utf-8"),
        pytest.param(b'{"a":"\\ud800"}', id="lone-surrogate"),
        pytest.param(b'{"\\udfff":1}', id="lone-surrogate-as-name"),
        pytest.param(b'{"a":' * 100_000, id="nested-100000-objects"),
        pytest.param(b'{"a":' + b"[" * 100_000, id="nested-100000-lists"),
        pytest.param(b"{}{}", id="two-documents"),
        pytest.param(b"{}x", id="trailing-text"),
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
        pytest.param(b'"{}"', id="string"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(document: bytes) -> None:
    """Duplicates, non-numbers, foreign encodings, bottomless nesting and what is no object are ValueErrors."""
    with pytest.raises(ValueError):  # noqa: PT011 - RecursionError and KeyError would be none
        parse_object(document)


def test_surrogate_pairs_are_characters() -> None:
    """An escaped pair of surrogates is one character and is accepted."""
    assert parse_object(b'{"a":"\\ud83d\\ude00"}') == {"a": "\N{GRINNING FACE}"}
