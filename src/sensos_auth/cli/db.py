"""``sensos-auth db``: the database under the registry: bringing its schema up to date, moving it to PostgreSQL."""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from sensos_auth.cli.failing import Refused, WrongUsage
from sensos_auth.cli.parameters import example, json_option
from sensos_auth.cli.printing import print_json, print_page
from sensos_auth.cli.progress import Progress
from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable
from sensos_auth.registry import open_registry
from sensos_auth.registry.location import database_url
from sensos_auth.registry.migrating import Migration, Schema, migrate, read_schema
from sensos_auth.registry.opening import is_postgresql, open_database, shown_url, sqlite_file

if TYPE_CHECKING:
    from sensos_auth.cli.printing import Members
    from sensos_auth.registry.copying import Copied
    from sensos_auth.registry.database import Database

_COPY_TO = "SENSOS_AUTH_COPY_TO"
# Seconds. Somebody who holds on to a table for long, such as pg_dump, is named instead.
_TRIES_FOR = 30
_PAUSES_FOR = 1
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_INSUFFICIENT_PRIVILEGE = "42501"


@click.group(epilog=example("db upgrade", "db copy --to postgresql://sensos@db.example.com/sensos"))
def db() -> None:
    """The registry's database: bring its schema up to date, and move it to PostgreSQL."""


@db.command(epilog=example("db upgrade"))
@json_option
def upgrade(*, as_json: bool) -> None:
    """Bring the schema of the registry up to date, in one transaction. Nodes of the release before go on working.

    On PostgreSQL this is the only command that does, and makes the schema in an empty database. Run it with the new
    release, before the first node of it starts. On SQLite every command does so by itself.
    """
    url = database_url(os.environ)
    with closing(open_database(url)) as database, _permission_explained():
        before = _schema(database)
        applied = _migrated(database)
        after = _schema(database)
    if as_json:
        print_json(
            {
                "database": shown_url(url),
                "schemaBefore": before.number,
                "schema": after.number,
                "applied": [f"{migration.number:04}_{migration.name}" for migration in applied],
            }
        )
        return
    click.echo(_outcome(before, after, applied))


def _schema(database: "Database") -> Schema:
    with database.read() as connection:
        return read_schema(database, connection)


def _migrated(database: "Database") -> list[Migration]:
    give_up_at = time.monotonic() + _TRIES_FOR
    is_told = False
    while True:
        try:
            return migrate(database, int(time.time()))
        except RegistryUnavailable as error:
            if time.monotonic() >= give_up_at:
                raise Refused(
                    f"{error}. Nothing was changed. If somebody holds on to a table, such as pg_dump, run db upgrade "
                    "again when it has ended"
                ) from error
            if not is_told:
                click.echo(f"{error}: trying again for {_TRIES_FOR} s", err=True)
                is_told = True
        time.sleep(_PAUSES_FOR)


def _outcome(before: Schema, after: Schema, applied: list[Migration]) -> str:
    if applied and not before.number:
        return f"The schema {after.number} was made in an empty database."
    if applied:
        return f"The schema was brought from {before.number} to {after.number}."
    if after.number > after.known:
        return f"Nothing to do: the schema is {after.number}, newer than this program's, which may work on it."
    return f"Nothing to do: the schema is {after.number}, the one that this program knows."


@db.command(epilog=example("db copy --to postgresql://sensos@db.example.com/sensos"))
@click.option(
    "--to",
    "target_url",
    required=True,
    metavar="URL",
    envvar=_COPY_TO,
    show_envvar=True,
    help="The empty database, postgresql://user@host:5432/database.",
)
@json_option
def copy(*, target_url: str, as_json: bool) -> None:
    """Copy this registry from SQLite into an empty PostgreSQL database, and prove that both are equal.

    End the service first: a registry that is changed meanwhile is refused at the end. All is copied in one transaction,
    read back and compared before it is committed; whatever goes wrong, the target stays empty. What is on a command
    line every user of this machine can read: put a password into SENSOS_AUTH_COPY_TO, PGPASSWORD or ~/.pgpass.
    """
    url = database_url(os.environ)
    if is_postgresql(url):
        raise Refused("this registry is on PostgreSQL already: db copy moves one from SQLite")
    file = sqlite_file(url)
    if not file.exists():
        raise Refused(f"there is no registry at {file}")
    if not is_postgresql(target_url):
        raise WrongUsage("--to must look like postgresql://user@host:5432/database")
    began = time.monotonic()
    with closing(_target(target_url)) as target, _permission_explained():
        # Once it is known that psycopg is there.
        from sensos_auth.registry.copying import copy_registry  # noqa: PLC0415

        with closing(open_registry(url)) as source:
            shown = _ManyStages()
            try:
                copied = copy_registry(source.database, target, shown)
            finally:
                shown.end()
    _print_copied(copied, url, target_url, time.monotonic() - began, as_json=as_json)
    click.echo(
        "Set SENSOS_AUTH_DATABASE_URL to the target, with the same master key on every node, and start the service "
        f"there. What is changed in {file} from now on is not in the target: move it away.",
        err=True,
    )


def _target(url: str) -> "Database":
    try:
        return open_database(url)
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace("SENSOS_AUTH_DATABASE_URL", f"--to ({_COPY_TO})")) from None


class _ManyStages:
    """A line of progress for each stage, one after the other."""

    def __init__(self) -> None:
        self._stages: dict[str, Progress] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        self._stages.setdefault(what, Progress(what, total))(done)

    def end(self) -> None:
        for stage in self._stages.values():
            stage.end()


def _print_copied(copied: "Copied", source: str, target: str, seconds: float, *, as_json: bool) -> None:
    head = None if copied.head is None else copied.head.hex()
    rows = sum(copied.rows.values())
    if as_json:
        print_json(
            {
                "from": source,
                "to": shown_url(target),
                "schema": copied.schema,
                "version": copied.version,
                "auditHead": head,
                "rows": rows,
                "tables": copied.rows,
                "verifiedEqual": True,
                "seconds": round(seconds, 1),
            }
        )
        return
    tables: list[Members] = [{"table": name, "rows": count} for name, count in copied.rows.items()]
    print_page("tables", tables, None, as_json=False, columns=("table", "rows"))
    click.echo(f"\n{rows} rows were copied to {shown_url(target)} in {seconds:.1f} s, and every table is equal.")
    click.echo(f"schema {copied.schema}, version {copied.version}, audit head {head or '-'}")


@contextmanager
def _permission_explained() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if getattr(error, "sqlstate", None) != _INSUFFICIENT_PRIVILEGE:
            raise
        raise Refused(
            f"PostgreSQL does not let this user do that ({str(error).partition(chr(10))[0]}): use the owner of the "
            "database, or of its schema and tables"
        ) from None
