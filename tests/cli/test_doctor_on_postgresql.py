"""``doctor`` on a registry on PostgreSQL."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from sensos_auth.cli.checks import postgresql_server
from sensos_auth.cli.checks.finding import Status
from sensos_auth.registry.migrating import known_migrations, migrate
from sensos_auth.registry.opening import open_database
from tests.cli.command_line import CommandLine
from tests.nodes.postgresql_cluster import postgresql_cluster
from tests.postgresql_server import new_database_url
from tests.registries import _end_postgresql

__all__ = ["_end_postgresql"]

HEAD = known_migrations()[-1].number


@contextmanager
def _set(url: str, parameter: str, value: str) -> Iterator[None]:
    """Let the server run with this parameter during the block."""
    with psycopg.connect(url, autocommit=True) as connection:
        before = _shown(url, parameter)
        try:
            connection.execute(f"ALTER SYSTEM SET {parameter} = {value}".encode())
            _wait_for(connection, url, parameter, value)
            yield
        finally:
            connection.execute(f"ALTER SYSTEM SET {parameter} = {before}".encode())
            _wait_for(connection, url, parameter, before)


def _wait_for(connection: "psycopg.Connection[Any]", url: str, parameter: str, value: str) -> None:
    connection.execute("SELECT pg_reload_conf()")
    give_up_at = time.monotonic() + 10
    while _shown(url, parameter) != value:
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def _shown(url: str, parameter: str) -> str:
    with psycopg.connect(url) as connection:
        return str(connection.execute(f"SHOW {parameter}".encode()).fetchall()[0][0])


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of an empty database, with a password in it, on a server that keeps what it acknowledges."""
    url = new_database_url().replace("postgres:@", "postgres:confidential@")
    with _set(url, "fsync", "on"):
        yield url


@pytest.fixture
def command_line(tmp_path: Path, url: str) -> CommandLine:
    """Return the command line on a registry with a signing key, where nothing is wrong."""
    command_line = CommandLine(tmp_path / "data", {"SENSOS_AUTH_DATABASE_URL": url})
    assert command_line.run("db", "upgrade").exit_code == 0
    assert command_line.run("keys", "rotate").exit_code == 0
    return command_line


def findings(command_line: CommandLine) -> dict[str, tuple[str, str]]:
    """Return what doctor found, by check: status and message. No password is in it, in any form of the output."""
    result = command_line.run("doctor", "--json")
    assert "confidential" not in result.output + command_line.run("doctor").output
    document = json.loads(result.stdout)
    assert result.exit_code == (1 if document["status"] == "wrong" else 0)
    return {each["check"]: (each["status"], each["message"]) for each in document["checks"]}


def wrong(command_line: CommandLine) -> list[str]:
    """Return the checks that found something wrong."""
    return [check for check, (status, _) in findings(command_line).items() if status == "wrong"]


def test_a_sound_configuration_is_all_ok(command_line: CommandLine) -> None:
    """Server and content, each with its line."""
    found = findings(command_line)
    assert {status for status, _ in found.values()} == {"ok"}
    assert set(found) >= {
        *("database", "server", "standby", "durability", "server clock"),
        *("schema", "clock", "issuing", "master key", "signing key", "rotation"),
    }
    assert found["database"][1].startswith("postgresql://postgres@/registry_")


def test_nothing_is_changed(command_line: CommandLine, url: str) -> None:
    """Not so much as the version."""

    def state() -> list[object]:
        with psycopg.connect(url) as connection:
            return [*connection.execute("SELECT * FROM clock"), *connection.execute("SELECT * FROM audit_events")]

    before = state()
    findings(command_line)
    assert state() == before


def test_a_server_that_cannot_be_reached_is_wrong(command_line: CommandLine) -> None:
    """With the reason, and the address without password."""
    command_line.environment["SENSOS_AUTH_DATABASE_URL"] = "postgresql://sensos:confidential@127.0.0.1:1/auth?a=b"
    assert "no URL of a PostgreSQL database" in findings(command_line)["database"][1]
    command_line.environment["SENSOS_AUTH_DATABASE_URL"] = "postgresql://sensos:confidential@127.0.0.1:1/auth"
    status, message = findings(command_line)["database"]
    assert status == "wrong"
    assert message.startswith("postgresql://sensos@127.0.0.1:1/auth cannot be reached: ")
    assert "refused" in message


@pytest.mark.parametrize("password", ["con@fidential", "con/fidential", "con?fidential"])
def test_password_that_is_not_written_as_a_url_needs_it_is_shown_nowhere(tmp_path: Path, password: str) -> None:
    """Neither by doctor nor by other commands nor in what serve writes; all say how to write it."""
    url = f"postgresql://sensos:{password}@localhost/auth"
    command_line = CommandLine(tmp_path / "data", {"SENSOS_AUTH_DATABASE_URL": url})
    assert "%40" in findings(command_line)["database"][1]
    for command in (["tenants", "list"], ["db", "upgrade"], ["serve"], ["db", "copy", "--to", url]):
        if command[0] == "db" and command[1] == "copy":
            del command_line.environment["SENSOS_AUTH_DATABASE_URL"]
            assert command_line.run("tenants", "list").exit_code == 0
        result = command_line.run(*command)
        assert result.exit_code != 0
        assert "%40" in result.output
        assert "fidential" not in result.output


@pytest.mark.parametrize("known", [0, HEAD - 1])
def test_z51_an_older_schema_is_wrong(tmp_path: Path, url: str, known: int) -> None:
    """Serve would refuse it; the command is named."""
    if known:
        with closing(open_database(url)) as database:
            migrate(database, 1, known_migrations()[:known])
    found = findings(CommandLine(tmp_path / "data", {"SENSOS_AUTH_DATABASE_URL": url}))
    assert (found["schema"][0], "run sensos-auth db upgrade" in found["schema"][1]) == ("wrong", True)


def test_z12_a_server_that_may_lose_what_it_acknowledged_is_wrong(command_line: CommandLine, url: str) -> None:
    """Without waiting for the disk, or without writing to it."""
    with psycopg.connect(url, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off".encode())
    assert wrong(command_line) == ["durability"]
    assert "synchronous_commit = off" in findings(command_line)["durability"][1]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} RESET synchronous_commit".encode())
    with _set(url, "fsync", "off"):
        assert wrong(command_line) == ["durability"]
        assert "fsync = off" in findings(command_line)["durability"][1]


def test_a_server_that_is_read_only_is_wrong(command_line: CommandLine, url: str) -> None:
    """As some providers leave one whose disk is full."""
    with _set(url, "default_transaction_read_only", "on"):
        assert "read-only" in findings(command_line)["standby"][1]
        assert wrong(command_line) == ["standby"]


@pytest.mark.slow
@pytest.mark.waits
@pytest.mark.timeout(120)
def test_z30_a_standby_is_wrong(command_line: CommandLine) -> None:
    """It takes no changes: the message says how the primary is found."""
    with postgresql_cluster() as cluster:
        command_line.environment["SENSOS_AUTH_DATABASE_URL"] = cluster.standby.url()
        assert wrong(command_line) == ["standby"]
        assert "host1,host2" in findings(command_line)["standby"][1]


@pytest.mark.parametrize(
    ("number", "encoding", "status"),
    [(130_014, "UTF8", "wrong"), (140_000, "UTF8", "ok"), (180_004, "UTF8", "ok"), (180_004, "LATIN1", "wrong")],
)
def test_versions_and_encodings(number: int, encoding: str, status: str) -> None:
    """PostgreSQL 14 and newer, in UTF-8."""
    assert postgresql_server._version(number, encoding).status == status


@pytest.mark.parametrize(
    ("ahead", "status", "says"),
    [
        (0.2, "ok", "within"),
        (-4.9, "ok", "within"),
        (5.1, "wrong", "5.1 s ahead of"),
        (-60.0, "wrong", "60.0 s behind"),
    ],
)
def test_z55_a_clock_that_differs_from_the_servers_is_wrong(ahead: float, status: str, says: str) -> None:
    """By more than five seconds, in either direction."""
    found = postgresql_server._clock(ahead)
    assert (found.status, says in found.message) == (Status(status), True)


def test_psycopg_is_named_where_it_is_missing(tmp_path: Path) -> None:
    """By every command: what to install."""
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from sensos_auth.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)"
    )
    environment = {**os.environ, "SENSOS_AUTH_DATABASE_URL": "postgresql://h/d", "SENSOS_AUTH_DATA_DIR": str(tmp_path)}
    for arguments in (["doctor"], ["tenants", "list"]):
        ended = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert "pip install 'sensos-auth[server,postgresql]'" in ended.stdout + ended.stderr
