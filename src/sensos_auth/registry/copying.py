"""Copying a registry from SQLite into an empty PostgreSQL database: whole or not at all, and proved to be equal."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import apsw
import psycopg
from psycopg import sql

from sensos_auth.model.errors import ConfigurationError, Conflict
from sensos_auth.registry.copied_tables import (
    Content,
    Table,
    content_of,
    copied_tables,
    count_rows,
    rows_in_postgresql,
    rows_in_sqlite,
    write_rows,
)
from sensos_auth.registry.database import Database
from sensos_auth.registry.migrating import migrate, read_schema
from sensos_auth.registry.postponed_indexes import postponed_indexes

_UNICODE = "UTF8"
# Of a server that takes nothing, because it is busy with its disk.
_PATIENCE_MS = 60_000

# Told what is done ("rows copied", "rows verified"), how many, and of how many.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: schema, registry version, hash of the last audit event, and the number of rows of each table."""

    schema: int
    version: int
    head: bytes | None
    rows: dict[str, int]


def copy_registry(source: Database, target: Database, progress: Progress = lambda _what, _done, _total: None) -> Copied:
    """Copy everything that the source (SQLite) has at one moment, in one transaction of the target (PostgreSQL).

    The target is brought up to date first. Before the commit every table is read back and compared; with an error
    nothing is in the target but its schema. Memory does not grow with the registry.

    Raises Conflict when the target holds anything, when the source was changed meanwhile, and when a table is not the
    same; ConfigurationError when the schemas differ, or the source holds what PostgreSQL can't store.
    """
    with target.read() as connection:
        _check_database(target, connection)
    migrate(target, int(time.time()))
    with target.write() as connection, _without_time_limits(connection):
        with source.read() as snapshot:
            copied = _copy(source, snapshot, target, connection, progress)
        with source.read() as later:
            version, _ = _state(later)
        if version != copied.version:
            raise Conflict(
                "the registry was changed while it was copied, so nothing was copied: end the service and every "
                "command that works on it, then copy again"
            )
    return copied


def _copy(
    source: Database,
    snapshot: apsw.Connection,
    target: Database,
    connection: psycopg.Connection[Any],
    progress: Progress,
) -> Copied:
    schema = read_schema(source, snapshot).number
    if schema != read_schema(target, connection).number:
        raise ConfigurationError(
            "source and target are not of the same schema: copy with the newest Sensos Auth of both"
        )
    tables = copied_tables(snapshot)
    _check_empty(connection, tables)
    total = sum(count_rows(snapshot, table) for table in tables)
    connection.execute("DELETE FROM clock")
    written: dict[str, Content] = {}
    copied, verified = (_counting(progress, what, total) for what in ("rows copied", "rows verified"))
    with _storable(), postponed_indexes(connection):
        for table in tables:
            written[table.name] = write_rows(connection, table, rows_in_sqlite(snapshot, table), copied)
    for table in tables:
        with rows_in_postgresql(connection, table) as rows:
            _check_equal(table, written[table.name], content_of(rows, verified))
    version, head = _state(snapshot)
    return Copied(schema, version, head, {name: content.rows for name, content in written.items()})


def _check_database(target: Database, connection: psycopg.Connection[Any]) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != _UNICODE:
        raise ConfigurationError(f"the target stores text as {encoding}: make it with ENCODING '{_UNICODE}'")
    if not read_schema(target, connection).number:
        return
    row = connection.execute("SELECT version FROM clock").fetchone()
    if row is None or row[0]:
        raise Conflict("the target holds a registry already: name an empty database")


def _check_empty(connection: psycopg.Connection[Any], tables: list[Table]) -> None:
    for table in tables:
        if table.name == "clock":
            found = connection.execute("SELECT 1 FROM clock WHERE version > 0").fetchone()
        else:
            found = connection.execute(
                sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.Identifier(table.name))
            ).fetchone()
        if found is not None:
            raise Conflict(f"the target's table {table.name} is not empty: name an empty database")


def _check_equal(table: Table, written: Content, found: Content) -> None:
    if written != found:
        raise Conflict(
            f"the table {table.name} is not the same in the target ({written.rows} rows were written, {found.rows} are "
            "there), so nothing was copied: look for triggers and rules there, and copy again into a new database"
        )


def _state(source: apsw.Connection) -> tuple[int, bytes | None]:
    row: Any = source.execute("SELECT version, audit_hash FROM clock").fetchall()[0]
    return row[0], row[1]


def _counting(progress: Progress, what: str, total: int) -> Callable[[int], None]:
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        progress(what, done, total)

    return count


@contextmanager
def _without_time_limits(connection: Any) -> Iterator[None]:  # noqa: ANN401 - the pool's connection
    """Let the server take its time: with an index of a million rows, or when a checkpoint keeps it from reading."""
    limit, connection.longest_answer = connection.longest_answer, None
    with socket.socket(fileno=os.dup(connection.fileno())) as transport:
        before = _give_patience(transport, _PATIENCE_MS)
        try:
            for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                connection.execute(f"SET LOCAL {name} = 0")
            yield
        finally:
            connection.longest_answer = limit
            _give_patience(transport, before)


def _give_patience(transport: socket.socket, milliseconds: int) -> int:
    """Set how long the system waits for the other machine (tcp(7), TCP_USER_TIMEOUT), and return what was set."""
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is None or transport.family == socket.AF_UNIX:
        return 0
    before = transport.getsockopt(socket.IPPROTO_TCP, option)
    transport.setsockopt(socket.IPPROTO_TCP, option, milliseconds)
    return before


@contextmanager
def _storable() -> Iterator[None]:
    try:
        yield
    # TypeError: a value not of its column's type. IntegrityError: a row whose tenant, say, is not there.
    except (psycopg.DataError, psycopg.IntegrityError, UnicodeError, TypeError) as error:
        raise ConfigurationError(
            f"the registry holds what PostgreSQL cannot store ({type(error).__name__}), so nothing was copied: "
            "run sensos-auth doctor and sensos-auth audit verify on it"
        ) from error
