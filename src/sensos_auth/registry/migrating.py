"""Numbered SQL files bring a database from any earlier state to the one that this program knows, in one transaction."""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry.database import Database
from sensos_auth.registry.statements import load_statements

_FILE_NAME = re.compile(r"(\d{4})_(\w+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: ``migrations/<number>_<name>.sql``."""

    number: int
    name: str
    script: str


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

    Raises ConfigurationError when the database is newer than the program. Safe to run from several processes at once.
    """
    migrations = known_migrations() if migrations is None else migrations
    # Most often nothing is missing: then a writer at work is no reason to wait.
    with database.read() as connection:
        if not _missing(database, connection, migrations):
            return []
    statements = load_statements(database.driver)
    with database.write() as connection:
        missing = _missing(database, connection, migrations)
        statements.create_migrations_table(connection)
        for migration in missing:
            database.run_script(connection, migration.script)
            statements.insert_migration(connection, number=migration.number, name=migration.name, applied_at=now)
    return missing


def _missing(
    database: Database,
    connection: Any,  # noqa: ANN401 - the driver's own type
    migrations: list[Migration],
) -> list[Migration]:
    if not database.has_table(connection, "migrations"):
        return migrations
    applied = [number for number, _ in load_statements(database.driver).applied_migrations(connection)]
    newest_known = migrations[-1].number
    if applied and applied[-1] > newest_known:
        raise ConfigurationError(
            f"the registry was written by a newer Sensos Auth (its schema is {applied[-1]}, this program knows "
            f"{newest_known}): upgrade this program, or restore a backup made before the upgrade"
        )
    return [migration for migration in migrations if migration.number not in applied]
