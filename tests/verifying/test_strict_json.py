import json
from pathlib import Path

import pytest

from sensos_auth.verifying.strict_json import parse_object
from tests.vectors import vector_files

REFUSED = vector_files("JSONTestSuite/test_parsing/n_*.json")
ACCEPTED = vector_files("JSONTestSuite/test_parsing/y_*.json")


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.stem)
def test_what_is_no_json_is_refused(file: Path) -> None:
    """Each of the 188 malformed documents of JSONTestSuite is a ValueError, also inside an object."""
    document = file.read_bytes()
    with pytest.raises(ValueError):  # noqa: PT011 - the cause is the file's name
        parse_object(document)
    with pytest.raises(ValueError):  # noqa: PT011 - as above
        parse_object(b'{"a":' + document + b"}")


@pytest.mark.parametrize("file", ACCEPTED, ids=lambda file: file.stem)
def test_objects_are_read_as_the_standard_library_reads_them(file: Path) -> None:
    """A valid document is an object with the same members, or refused because it is none or names a member twice."""
    document = file.read_bytes()
    if file.stem.startswith("y_object_duplicated_key") or not isinstance(json.loads(document), dict):
        with pytest.raises(ValueError, match=r"duplicate|not a JSON object"):
            parse_object(document)
    else:
        assert parse_object(document) == json.loads(document)


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
