"""Numbered SQL files bring a database from any earlier state to the one that this program knows, in one transaction.

A database may be newer than the program, as far as ``clock.oldest_program`` allows it: so nodes of one release go on
working while and after the next one upgrades the database (migrations/0004_oldest_program.sql).
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry.database import Database
from sensos_auth.registry.statements import load_statements

_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")
_TABLES_OF_EVERY_SCHEMA: Final = ("migrations", "clock", "tenants")
_BRINGS_OLDEST_PROGRAM: Final = 4  # the number of a migration
_TAKES_TABLE = re.compile(r"\b(?:ALTER|DROP) TABLE (\w+)")
# Who reads a table waits behind a migration that waits for the table. So it waits for less than nodes have patience,
# and gives way before PostgreSQL looks for a deadlock and may end a node's transaction in its place (after a second).
_WAIT_BRIEFLY: Final = "/*postgresql SET LOCAL lock_timeout = 400; SET LOCAL statement_timeout = 400; {} */"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: ``migrations/<number>_<name>.sql``."""

    number: int
    name: str
    script: str


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database is to a program: ``number`` is that of its last step, 0 for an empty database.

    ``known`` is the program's own last step, ``missing`` are the steps that it would apply, ``oldest_program`` is the
    last step of the oldest program that may work on the database as it is, 0 where that is not written down yet.
    """

    number: int
    known: int
    missing: list[Migration]
    oldest_program: int

    def check_not_too_new(self) -> None:
        """Raise ConfigurationError when the database is newer than the program can work on."""
        if self.number > self.known and (self.missing or self.known < self.oldest_program):
            raise ConfigurationError(
                f"the registry was written by a newer Sensos Auth (its schema is {self.number}, this program knows "
                f"{self.known}): upgrade this program, or restore a backup made before the upgrade"
            )


def known_migrations() -> list[Migration]:
    """Return the steps that this program knows, in order."""
    found = []
    for file in (files("sensos_auth.registry") / "migrations").iterdir():
        match = _FILE_NAME.fullmatch(file.name)
        if match:
            found.append(Migration(int(match[1]), match[2], file.read_text("utf-8")))
    return sorted(found, key=lambda migration: migration.number)


def migrate(database: Database, now: int, migrations: list[Migration] | None = None) -> list[Migration]:
    """Apply the steps that are missing, all or none, and return them. ``now`` is in UTC seconds.

    Raises ConfigurationError when the database is newer than the program can work on, or another program's;
    RegistryUnavailable when somebody holds on to what has to be changed. Safe to run from several processes at once.
    """
    migrations = known_migrations() if migrations is None else migrations
    # Most often nothing is missing: then a writer at work is no reason to wait.
    with database.read() as connection:
        if not _checked_schema(database, connection, migrations).missing:
            return []
    statements = load_statements(database.driver)
    with database.write() as connection:
        before = _checked_schema(database, connection, migrations)
        missing = before.missing
        _take_tables(database, connection, missing)
        statements.create_migrations_table(connection)
        for migration in missing:
            database.run_script(connection, migration.script)
            statements.insert_migration(connection, number=migration.number, name=migration.name, applied_at=now)
        if before.oldest_program and statements.oldest_program(connection) != before.oldest_program:
            _let_running_programs_look(statements, connection, now)
    return missing


def _let_running_programs_look(
    statements: Any,  # noqa: ANN401 - made by aiosql
    connection: Any,  # noqa: ANN401 - the driver's own type
    now: int,
) -> None:
    """Have the signing keys count as changed: whoever issues reads them before the next token, and who may work on."""
    version, *_ = statements.advance_clock(connection, now_ms=now * 1000)
    statements.mark_signing_keys_changed(connection, version=version)


def _take_tables(
    database: Database,
    connection: Any,  # noqa: ANN401 - the driver's own type
    missing: list[Migration],
) -> None:
    """Wait for all tables that are changed, within one short time for all of them, before any is kept for long."""
    names = {name for migration in missing for name in _TAKES_TABLE.findall(migration.script)}
    # The clock last, because every node reads it all the time.
    taken = sorted((name == "clock", name) for name in names if database.has_table(connection, name))
    lock = f"LOCK TABLE {', '.join(name for _, name in taken)} IN ACCESS EXCLUSIVE MODE;" if taken else ""
    database.run_script(connection, _WAIT_BRIEFLY.format(lock))


def check_schema(database: Database, migrations: list[Migration] | None = None) -> None:
    """Raise ConfigurationError unless the program can work on the database as it is."""
    with database.read() as connection:
        schema = read_schema(database, connection, migrations)
    schema.check_not_too_new()
    if schema.missing:
        state = (
            f"the registry's schema is {schema.number}, and this program needs {schema.known}"
            if schema.number
            else "the database holds no registry yet"
        )
        raise ConfigurationError(f"{state}: run sensos-auth db upgrade")


def read_schema(
    database: Database,
    connection: Any,  # noqa: ANN401 - the driver's own type
    migrations: list[Migration] | None = None,
) -> Schema:
    """Return what the database is to this program; raises ConfigurationError when it is another program's."""
    migrations = known_migrations() if migrations is None else migrations
    statements = load_statements(database.driver)
    found = {database.has_table(connection, name) for name in _TABLES_OF_EVERY_SCHEMA}
    if len(found) > 1:
        raise ConfigurationError("the database holds tables of another program: give the registry one of its own")
    applied = [number for number, _ in statements.applied_migrations(connection)] if found == {True} else []
    missing = [migration for migration in migrations if migration.number not in applied]
    number, known = max(applied, default=0), migrations[-1].number
    oldest = statements.oldest_program(connection) if _BRINGS_OLDEST_PROGRAM in applied else 0
    return Schema(number, known, missing, oldest)


def _checked_schema(
    database: Database,
    connection: Any,  # noqa: ANN401 - the driver's own type
    migrations: list[Migration],
) -> Schema:
    schema = read_schema(database, connection, migrations)
    schema.check_not_too_new()
    return schema
