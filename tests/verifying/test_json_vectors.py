"""JSONTestSuite against the strict reader of JSON objects."""

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
