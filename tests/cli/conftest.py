"""The command line on a fresh data folder."""

from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine
from tests.postgresql_server import new_database_url
from tests.running_service import upgrade


@pytest.fixture
def command_line(tmp_path: Path, request: pytest.FixtureRequest) -> CommandLine:
    """Return the command line on a data folder that does not exist yet; on PostgreSQL, on an upgraded database."""
    command_line = CommandLine(tmp_path / "data")
    if getattr(request, "param", "sqlite") == "postgresql":
        url = command_line.environment["SENSOS_AUTH_DATABASE_URL"] = new_database_url()
        upgrade(url)
    return command_line
