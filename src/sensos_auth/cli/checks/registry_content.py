"""Checks of what is in the registry: schema, soundness, clock, and the signing keys under their master key."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from sensos_auth.cli.checks.finding import Finding, ok, warning, wrong
from sensos_auth.cli.checks.signing_keys import check_signing_keys
from sensos_auth.cli.printing import in_words, iso_time
from sensos_auth.model.errors import ConfigurationError, SensosAuthError
from sensos_auth.registry import Registry, View
from sensos_auth.registry.database import Database
from sensos_auth.registry.issuing_lock import unknown_window
from sensos_auth.registry.migrating import read_schema
from sensos_auth.registry.sqlite_read_only import ReadOnlySqliteDatabase
from sensos_auth.registry.transactions import unix_milliseconds

_CLOCK_TOLERANCE_MS = 60_000
_SHOWN = 3


def check_registry_content(path: Path, environment: Mapping[str, str]) -> list[Finding]:
    """Look into the registry file, which must exist."""
    try:
        findings, disturbed = _look(path, environment)
        return _look(path, environment)[0] if disturbed else findings
    except SensosAuthError as error:
        return [wrong("registry", error)]


def _look(path: Path, environment: Mapping[str, str]) -> tuple[list[Finding], bool]:
    with closing(ReadOnlySqliteDatabase(path)) as database:
        findings = list(_checks(database, environment))
        return findings, database.was_disturbed()


def _checks(database: ReadOnlySqliteDatabase, environment: Mapping[str, str]) -> Iterator[Finding]:
    damage = database.verify()
    if damage:
        yield wrong("integrity", f"the registry is damaged ({'; '.join(damage[:_SHOWN])}): restore a backup")
        return
    yield ok("integrity", "SQLite's quick_check found nothing")
    yield from check_content(database, environment)


def check_content(database: Database, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look into a registry on either engine."""
    registry = Registry(database)
    with registry.view() as view:
        schema = _schema(database, view)
        yield schema
        if schema.status != "ok":
            return
        yield _clock(view)
        yield _issuing(view)
        yield from check_signing_keys(view, environment)


def _schema(database: Database, view: View) -> Finding:
    schema = read_schema(database, view.connection)
    try:
        schema.check_not_too_new()
    except ConfigurationError as error:
        return wrong("schema", error)
    if schema.missing and database.driver == "psycopg":
        state = f"{schema.number} of {schema.known}" if schema.number else "the database holds no registry yet"
        return wrong("schema", f"{state}: run sensos-auth db upgrade")
    if not schema.number:
        return warning("schema", "the registry is empty: any other command, or serve, fills it")
    if schema.missing:
        return warning(
            "schema", f"{schema.number} of {schema.known}: any other command, or serve, brings it up to date"
        )
    if schema.number > schema.known:
        return ok("schema", f"{schema.number}, newer than this program's {schema.known}, which may work on it")
    return ok("schema", f"{schema.number}, the one that this program knows")


def _issuing(view: View) -> Finding:
    window = unknown_window(view)
    if window is None:
        return ok("issuing", "not locked")
    return wrong(
        "issuing",
        f"locked since a backup was restored: nobody knows what was taken away from {iso_time(window.since)} until "
        f"{iso_time(window.until)}. Take it away again, then run sensos-auth issuing unlock --confirm-window",
    )


def _clock(view: View) -> Finding:
    version, *_ = view.statements.clock(view.connection)
    behind = version - unix_milliseconds()
    if behind > _CLOCK_TOLERANCE_MS:
        return wrong(
            "clock",
            f"this machine's clock is {in_words(behind // 1000)} behind the newest change in the registry: set it",
        )
    return ok("clock", "not behind the newest change in the registry")
