import pytest

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.tenant import checked_name


@pytest.mark.parametrize("name", ["a", "Ærøskøbing Brandværn", "株式会社", "x" * 200, "O'Neill; DROP TABLE tenants"])
def test_name_is_returned_unchanged(name: str) -> None:
    """Any printable text is a name."""
    assert checked_name(name) == name


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "a\nb", "a\x1b[31m", "a\u2028b", "a\u202eb", "\ud800"])
def test_unprintable_name_is_refused(name: str) -> None:
    """A name can't forge lines of a log or a table, nor turn the direction of a text."""
    with pytest.raises(InvalidInput, match="1 to 200 printable characters"):
        checked_name(name)
