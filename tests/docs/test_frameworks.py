"""The page "Protect an API" shows the examples as they are."""

from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks

EXAMPLES = sorted((ROOT / "examples" / "frameworks").glob("*.py"))
SHOWN = {
    block.argument: block.text
    for block in blocks((ROOT / "docs" / "protect-an-api.md").read_text("utf-8"))
    if block.purpose.startswith("file=")
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_page_shows_the_example(example: Path) -> None:
    """Letter by letter, so that what readers copy is what the tests attack."""
    assert SHOWN[example.name] == example.read_text("utf-8")


def test_the_page_shows_no_other_files() -> None:
    """Each file on the page is one of the examples."""
    assert SHOWN.keys() == {example.name for example in EXAMPLES}
