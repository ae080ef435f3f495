"""A planted defect: one small change to the product that some test must not let pass."""

from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"


@dataclass(frozen=True, slots=True)
class Defect:
    """``original`` stands exactly once in ``file`` (below ``src/sensos_auth``) and is replaced by ``planted``.

    ``name`` says what goes wrong, with the identifier of the attack or fault where there is one; ``tests`` (below
    ``tests``) are where it must be noticed.
    """

    name: str
    file: str
    original: str
    planted: str
    tests: tuple[str, ...]

    def mismatch(self, source: Path = SOURCE) -> str | None:
        """Return why the defect can't be planted, or None."""
        file = source / "sensos_auth" / self.file
        if not file.exists():
            return f"{self.name}: there is no {self.file}"
        count = file.read_text().count(self.original)
        return None if count == 1 else f"{self.name}: the snippet stands {count} times in {self.file}"

    def plant(self, source: Path) -> None:
        """Change the copy of the source tree."""
        file = source / "sensos_auth" / self.file
        file.write_text(file.read_text().replace(self.original, self.planted))


def in_file(file: str, *tests: str) -> "Room":
    """Return the beginning of a list of defects of one file."""
    return Room(file, tests)


@dataclass(frozen=True, slots=True)
class Room:
    """A file of the product, and the tests that watch over it."""

    file: str
    tests: tuple[str, ...]

    def defect(self, name: str, original: str, planted: str, *tests: str) -> Defect:
        """Return a defect in the file; ``tests`` stand in for the file's own."""
        return Defect(name, self.file, original, planted, tests or self.tests)
