"""The command line on a fresh data folder."""

from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    """Return the command line on a data folder that does not exist yet."""
    return CommandLine(tmp_path / "data")
