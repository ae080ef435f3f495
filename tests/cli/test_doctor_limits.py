"""What doctor says of the server through which limits are shared."""

from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine
from tests.cli.test_doctor import findings
from tests.redis_server import needs_redis, redis_server
from tests.running_service import free_port


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    """Return the command line on a registry with a signing key."""
    command_line = CommandLine(tmp_path / "data")
    command_line.run("keys", "rotate")
    return command_line


@needs_redis
def test_server_that_can_be_used_is_ok(command_line: CommandLine, tmp_path: Path) -> None:
    """Limits are then those of all workers; nothing is left there."""
    with redis_server(tmp_path / "redis", "--requirepass", "confidential") as redis:
        command_line.environment["SENSOS_AUTH_LIMITS_URL"] = redis.url.replace("//", "//:confidential@")
        status, message = findings(command_line)["limits"]
        assert status == "ok"
        assert f"for all workers together, through 127.0.0.1:{redis.port}: refusals to an address 10/s" in message
        command_line.environment["SENSOS_AUTH_LIMITS_URL"] = redis.url.replace("//", "//:confidential-and-wrong@")
        status, message = findings(command_line)["limits"]
        assert status == "warning"
        assert "it refuses the user or the password" in message
        assert "confidential" not in message


def test_z84_server_that_is_away_is_a_warning(command_line: CommandLine) -> None:
    """The service runs without it."""
    command_line.environment["SENSOS_AUTH_LIMITS_URL"] = f"redis://:confidential@127.0.0.1:{free_port()}"
    status, message = findings(command_line)["limits"]
    assert status == "warning"
    assert "each worker counts by itself" in message
    assert "confidential" not in message
