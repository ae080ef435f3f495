"""Which engines the registry of a test is kept on, and which files are read for the slow tests alone.

Tests of the service and of the command line use SQLite; with ``@pytest.mark.engines("sqlite", "postgresql")`` a test or
a module runs on both. The mark that is nearest to the test counts. (tests/registry runs on both as a whole.)
"""

from pathlib import Path

import pytest

_KEEP_A_REGISTRY = ("service", "command_line")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "engines(*names): what the registry of `service` or `command_line` is kept on")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test once on each engine that it names."""
    mark = metafunc.definition.get_closest_marker("engines")
    for fixture in _KEEP_A_REGISTRY:
        if mark is not None and fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, mark.args, indirect=True)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over the files without a slow test where only those are wanted: importing all of them takes a while."""
    wants_slow_ones = str(config.option.markexpr).startswith("slow")
    is_file_of_tests = collection_path.name.startswith("test_") and collection_path.suffix == ".py"
    return True if wants_slow_ones and is_file_of_tests and not _marks_as_slow(collection_path) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a slow test that would be passed over."""
    files = {item.path for item in items if item.get_closest_marker("slow")}
    missed = sorted(str(file) for file in files if not _marks_as_slow(file))
    if missed:
        raise pytest.UsageError(f"write pytest.mark.slow in the file itself: {', '.join(missed)}")


def _marks_as_slow(file: Path) -> bool:
    return "mark.slow" in file.read_text("utf-8")
