"""Which engines the registry of a test is kept on.

Tests of the service and of the command line use SQLite; with ``@pytest.mark.engines("sqlite", "postgresql")`` a test or
a module runs on both. The mark that is nearest to the test counts. (tests/registry runs on both as a whole.)
"""

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
