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


def test_z84_server_that_is_away_is_a_warning(command_line: CommandLine, tmp_path: Path) -> None:
    """The service runs without it; what to unset is the variable that is set."""
    command_line.environment["SENSOS_AUTH_LIMITS_URL"] = f"redis://:confidential@127.0.0.1:{free_port()}"
    status, message = findings(command_line)["limits"]
    assert status == "warning"
    assert "each worker counts by itself" in message
    assert message.endswith("unset SENSOS_AUTH_LIMITS_URL")
    assert "confidential" not in message
    (tmp_path / "limits-url").write_text(command_line.environment.pop("SENSOS_AUTH_LIMITS_URL"))
    command_line.environment["SENSOS_AUTH_LIMITS_URL_FILE"] = str(tmp_path / "limits-url")
    status, message = findings(command_line)["limits"]
    assert status == "warning"
    assert message.endswith("unset SENSOS_AUTH_LIMITS_URL_FILE")
    assert "confidential" not in message


def test_z52_server_that_is_named_twice_is_wrong(command_line: CommandLine, tmp_path: Path) -> None:
    """In a variable and in a file: doctor tells it as serve does."""
    (tmp_path / "limits-url").write_text("redis://:confidential@host")
    command_line.environment["SENSOS_AUTH_LIMITS_URL"] = "redis://host"
    command_line.environment["SENSOS_AUTH_LIMITS_URL_FILE"] = str(tmp_path / "limits-url")
    status, message = findings(command_line)["limits"]
    assert status == "wrong"
    assert "set either SENSOS_AUTH_LIMITS_URL or SENSOS_AUTH_LIMITS_URL_FILE, not both" in message
