"""``sensos-auth db``: upgrading the schema, and moving from SQLite to PostgreSQL."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from sensos_auth.cli import db
from sensos_auth.registry.migrating import known_migrations, migrate
from sensos_auth.registry.opening import open_database
from tests.cli.command_line import CommandLine
from tests.postgresql_server import new_database_url
from tests.registries import _end_postgresql
from tests.running_service import COMMAND

__all__ = ["_end_postgresql"]

HEAD = known_migrations()[-1].number
ALL = [f"{migration.number:04}_{migration.name}" for migration in known_migrations()]


@pytest.fixture
def empty() -> str:
    """Return the URL of an empty PostgreSQL database, with a password in it, which the server does not look at."""
    return new_database_url().replace("postgres:@", "postgres:confidential@")


@pytest.fixture
def on_postgresql(tmp_path: Path, empty: str) -> CommandLine:
    """Return the command line on the empty PostgreSQL database."""
    return CommandLine(tmp_path / "data", {"SENSOS_AUTH_DATABASE_URL": empty})


@contextmanager
def held(url: str, table: str) -> Iterator[None]:
    """Read a table in a transaction that is open during the block, as pg_dump does."""
    with psycopg.connect(url) as connection:
        connection.execute(f"SELECT * FROM {table}".encode())  # noqa: S608 - of this test
        yield


class TestUpgrade:
    """``db upgrade``."""

    def test_makes_the_schema_in_an_empty_database(self, on_postgresql: CommandLine) -> None:
        """And says so; a second time there is nothing to do. No password is shown."""
        made = on_postgresql.print_json("db", "upgrade")
        assert made["database"].startswith("postgresql://postgres@/registry_")
        assert (made["schemaBefore"], made["schema"], made["applied"]) == (0, HEAD, ALL)
        again = on_postgresql.print_json("db", "upgrade")
        assert (again["schemaBefore"], again["schema"], again["applied"]) == (HEAD, HEAD, [])

    def test_says_from_which_schema_to_which(self, on_postgresql: CommandLine, empty: str) -> None:
        """In words."""
        with closing(open_database(empty)) as database:
            migrate(database, 1, known_migrations()[:2])
        said = [on_postgresql.run("db", "upgrade") for _ in range(2)]
        assert [each.exit_code for each in said] == [0, 0]
        assert said[0].stdout == f"The schema was brought from 2 to {HEAD}.\n"
        assert said[1].stdout == f"Nothing to do: the schema is {HEAD}, the one that this program knows.\n"

    def test_on_sqlite_too(self, command_line: CommandLine) -> None:
        """Where every other command does it as well."""
        made = command_line.run("db", "upgrade")
        assert made.stdout == f"The schema {HEAD} was made in an empty database.\n"
        command_line.new_tenant()
        assert command_line.print_json("db", "upgrade")["applied"] == []

    def test_z50_a_newer_schema_that_this_program_may_work_on_is_left_as_it_is(self, command_line: CommandLine) -> None:
        """Run by a node of the release before, after the new one has upgraded."""
        command_line.new_tenant()
        command_line.change_registry("INSERT INTO migrations VALUES (9999, 'future', 0)")
        said = command_line.run("db", "upgrade")
        assert said.stdout.startswith("Nothing to do: the schema is 9999, newer than this program's")
        command_line.change_registry("UPDATE clock SET oldest_program = 9999")
        refused = command_line.run("db", "upgrade")
        assert (refused.exit_code, "upgrade this program" in refused.stderr) == (1, True)

    @pytest.mark.parametrize("arguments", [["tenants", "list"], ["keys", "rotate"], ["audit", "verify"], ["usage"]])
    def test_z51_no_other_command_works_on_an_older_schema(
        self, on_postgresql: CommandLine, empty: str, arguments: list[str]
    ) -> None:
        """It names this one, in a sentence, and nothing is migrated by the way."""
        for known in (0, HEAD - 1):
            if known:
                with closing(open_database(empty)) as database:
                    migrate(database, 1, known_migrations()[:known])
            refused = on_postgresql.run(*arguments)
            assert (refused.exit_code, refused.stdout) == (1, "")
            assert refused.stderr.endswith(": run sensos-auth db upgrade\n")
        assert on_postgresql.print_json("db", "upgrade")["schemaBefore"] == HEAD - 1
        assert on_postgresql.run(*arguments).exit_code == 0

    def test_z42_a_table_that_somebody_holds_is_waited_for_but_not_for_ever(
        self, on_postgresql: CommandLine, empty: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sentence says what to look for, and nothing was changed."""
        with closing(open_database(empty)) as database:
            migrate(database, 1, known_migrations()[:-1])
        monkeypatch.setattr(db, "_TRIES_FOR", 1)
        with held(empty, "clock"):
            refused = on_postgresql.run("db", "upgrade")
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "Nothing was changed. If somebody holds on to a table, such as pg_dump" in refused.stderr
        assert on_postgresql.print_json("db", "upgrade")["schemaBefore"] == HEAD - 1

    @pytest.mark.slow
    def test_z42_readers_go_on_while_it_waits_and_it_goes_on_when_the_table_is_free(
        self, on_postgresql: CommandLine, empty: str
    ) -> None:
        """Nobody who reads the table waits for as long as a node has patience: a second."""
        with closing(open_database(empty)) as database:
            migrate(database, 1, known_migrations()[:-1])
        upgrade = threading.Thread(target=on_postgresql.run, args=("db", "upgrade"))
        waited = []
        with held(empty, "clock"):
            upgrade.start()
            with psycopg.connect(empty, autocommit=True) as reader:
                ends_at = time.monotonic() + 3
                while time.monotonic() < ends_at:
                    began = time.monotonic()
                    reader.execute("SELECT version FROM clock").fetchone()
                    waited.append(time.monotonic() - began)
        upgrade.join(timeout=20)
        assert 0.3 < max(waited) < 0.9
        assert on_postgresql.print_json("db", "upgrade")["schemaBefore"] == HEAD

    def test_a_user_who_may_not_is_told_so(self, on_postgresql: CommandLine, empty: str) -> None:
        """Since PostgreSQL 15 only the owner of a database may make tables in it."""
        with psycopg.connect(empty, autocommit=True) as connection:
            connection.execute("DROP ROLE IF EXISTS somebody")
            connection.execute("CREATE ROLE somebody LOGIN")
        on_postgresql.environment["SENSOS_AUTH_DATABASE_URL"] = empty.replace("postgres:", "somebody:")
        refused = on_postgresql.run("db", "upgrade")
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "does not let this user do that (permission denied for schema public): use the owner" in refused.stderr


class TestCopy:
    """``db copy``."""

    def test_moves_a_registry(self, command_line: CommandLine, empty: str) -> None:
        """What the copy prints, and what commands print of it afterwards; the password is shown nowhere."""
        application = command_line.new_application()
        trail = command_line.print_json("audit", "verify")
        result = command_line.run("db", "copy", "--to", empty, "--json")
        assert (result.exit_code, "confidential" in result.output) == (0, False)
        copied = json.loads(result.stdout)
        assert copied["from"] == f"sqlite:///{command_line.registry_file}"
        assert copied["to"].startswith("postgresql://postgres@/registry_")
        assert (copied["verifiedEqual"], copied["rows"]) == (True, sum(copied["tables"].values()))
        assert {name: count for name, count in copied["tables"].items() if count} == {
            **dict.fromkeys(("clock", "tenants", "applications", "secrets"), 1),
            "audit_events": trail["events"],
        }
        assert (copied["auditHead"], copied["version"]) == (trail["head"], trail["version"])
        assert "Set SENSOS_AUTH_DATABASE_URL to the target, with the same master key on every node" in result.stderr
        there = CommandLine(command_line.data_folder, {"SENSOS_AUTH_DATABASE_URL": empty})
        for arguments in (["tenants", "list"], ["applications", "list"], ["audit", "list"], ["audit", "verify"]):
            assert there.print_json(*arguments) == command_line.print_json(*arguments)
        assert there.print_json("secrets", "list", "--application", application["applicationId"])["secrets"]

    def test_says_in_words_what_it_did(self, command_line: CommandLine, empty: str) -> None:
        """Rows of each table, and that all are equal."""
        command_line.new_tenant()
        said = command_line.run("db", "copy", "--to", empty).stdout
        assert "tenants             1\n" in said
        assert "and every table is equal.\n" in said
        assert "confidential" not in said

    def test_the_target_may_come_from_the_environment(self, command_line: CommandLine, empty: str) -> None:
        """So that no password is on a command line, which every user of the machine can read."""
        command_line.new_tenant()
        command_line.environment["SENSOS_AUTH_COPY_TO"] = empty
        assert command_line.print_json("db", "copy")["tables"]["tenants"] == 1

    def test_a_target_that_holds_a_registry_is_left_alone(self, command_line: CommandLine, empty: str) -> None:
        """Such as the one that was copied just before."""
        command_line.new_tenant()
        assert command_line.run("db", "copy", "--to", empty).exit_code == 0
        refused = command_line.run("db", "copy", "--to", empty)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr == "Error: the target holds a registry already: name an empty database\n"

    @pytest.mark.parametrize(
        ("target", "status", "sentence"),
        [
            ("sqlite:///confidential", 2, "--to must look like postgresql://user@host:5432/database"),
            ("postgresql://u:confidential@127.0.0.1:1/x", 1, "cannot be reached"),
            ("postgresql://u:confidential@h/x?no_option=1", 1, "--to (SENSOS_AUTH_COPY_TO) is no URL of a PostgreSQL"),
        ],
    )
    def test_a_wrong_target_is_one_sentence_without_its_password(
        self, command_line: CommandLine, target: str, status: int, sentence: str
    ) -> None:
        """Whatever is wrong with it."""
        command_line.new_tenant()
        refused = command_line.run("db", "copy", "--to", target)
        assert (refused.exit_code, refused.stdout) == (status, "")
        assert sentence in refused.stderr
        assert "confidential" not in refused.stderr

    def test_a_connection_that_is_lost_is_one_sentence(self, command_line: CommandLine, empty: str) -> None:
        """In the middle of the copy: nothing is in the target, and the libraries add nothing to it."""
        command_line.new_tenant()
        environment = CommandLine(command_line.data_folder, {"SENSOS_AUTH_DATABASE_URL": empty})
        assert environment.run("db", "upgrade").exit_code == 0
        with psycopg.connect(empty, autocommit=True) as connection:
            connection.execute(
                "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$; "
                "CREATE TRIGGER cut BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION cut()"
            )
            ended = subprocess.run(
                [COMMAND, "db", "copy"],
                env={**os.environ, "SENSOS_AUTH_DATA_DIR": str(command_line.data_folder), "SENSOS_AUTH_COPY_TO": empty},
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
            )
            assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended.stderr
            assert ended.stderr.startswith("Error: the PostgreSQL registry cannot be reached or is busy: ")
            assert connection.execute("SELECT COUNT(*) FROM tenants").fetchone() == (0,)

    def test_there_must_be_a_registry_and_none_is_made(self, command_line: CommandLine, empty: str) -> None:
        """Else the empty one, made by the way, would be copied."""
        refused = command_line.run("db", "copy", "--to", empty)
        assert (refused.exit_code, "there is no registry at" in refused.stderr) == (1, True)
        assert not command_line.registry_file.exists()

    def test_from_postgresql_nothing_is_copied(self, on_postgresql: CommandLine) -> None:
        """PostgreSQL has its own ways to move."""
        refused = on_postgresql.run("db", "copy", "--to", new_database_url())
        assert (refused.exit_code, "is on PostgreSQL already" in refused.stderr) == (1, True)
