"""The documentation's pages and their fenced code blocks.

Each block says in its info string what is done with it; ``...`` stands for three backticks:

* ``...bash`` is run, in one shell for the whole page; ``...python`` is run there as a program of its own.
* ``...python file=api.py`` is saved under that name, for the blocks that follow.
* ``...bash background=8000`` is started, and goes on once something listens on that port.
* ``...json output``, ``...text output`` is what the last block printed; ``…`` stands for anything.
* Every other block needs ``<!-- not run: why -->`` in the line above.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "deploy" / "README.md"]

_FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its info string's words, its text, and why it is not run if it isn't."""

    line: int
    language: str
    purpose: str
    text: str
    reason_not_to_run: str | None

    @property
    def argument(self) -> str:
        """Return what the purpose is about: a file's name, a port."""
        return self.purpose.partition("=")[2]

    @property
    def kind(self) -> str:
        """Return what is done with the block; raises ValueError when nothing is."""
        if self.reason_not_to_run is not None:
            return "not run"
        kind = (self.language, self.purpose.partition("=")[0])
        if kind in {("bash", ""), ("python", "")}:
            return "run"
        if kind[1] == "output" or kind in {("python", "file"), ("bash", "background")}:
            return kind[1]
        raise ValueError(f"line {self.line}: a block that is neither run nor marked <!-- not run: why -->")


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page's Markdown."""
    for match in _FENCE.finditer(page):
        language, _, purpose = match["info"].partition(" ")
        line = page.count("\n", 0, match.start("info")) + 1
        yield Block(line, language, purpose, match["text"], match["reason"])


def name_of(page: Path) -> str:
    """Return the page's path in the repository."""
    return str(page.relative_to(ROOT))


WITH_EXAMPLES = [page for page in PAGES if any(blocks(page.read_text("utf-8")))]
