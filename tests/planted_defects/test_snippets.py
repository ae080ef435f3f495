"""The list of planted defects follows the code. `make planted-defects` plants them, one after the other."""

from collections import Counter
from pathlib import Path

from tests.planted_defects.defect import Defect
from tests.planted_defects.every_defect import EVERY_DEFECT

TESTS = Path(__file__).parents[1]


def test_every_snippet_stands_exactly_once() -> None:
    """Each defect can be planted into today's code: when that changes, the defect changes with it."""
    assert "\n".join(mismatch for defect in EVERY_DEFECT if (mismatch := defect.mismatch())) == ""


def test_every_defect_is_a_change_with_a_name_and_tests() -> None:
    """Names are unique, what is planted differs, and the tests that must notice exist."""
    assert [name for name, count in Counter(defect.name for defect in EVERY_DEFECT).items() if count > 1] == []
    assert all(defect.original != defect.planted for defect in EVERY_DEFECT)
    assert [test for defect in EVERY_DEFECT for test in defect.tests if not (TESTS / test).exists()] == []
    assert len(EVERY_DEFECT) > 36


def test_defect_is_planted_once_and_never_where_it_does_not_fit(tmp_path: Path) -> None:
    """Planting changes the copy; a snippet that is missing or stands twice is told with the defect's name."""
    file = tmp_path / "sensos_auth" / "a.py"
    file.parent.mkdir()
    file.write_text("if x:\n    y\n")
    Defect("n", "a.py", "if x:", "if False:", ()).plant(tmp_path)
    assert file.read_text() == "if False:\n    y\n"
    assert Defect("n", "a.py", "if x:", "", ()).mismatch(tmp_path) == "n: the snippet stands 0 times in a.py"
    file.write_text("x\nx\n")
    assert Defect("n", "a.py", "x", "", ()).mismatch(tmp_path) == "n: the snippet stands 2 times in a.py"
    assert Defect("n", "b.py", "x", "", ()).mismatch(tmp_path) == "n: there is no b.py"
