"""The tables of a registry as they are copied: in which order, by which columns, and what proves two of them equal.

A table's digest is over all its rows in the order of the primary key, each value as the engine returned it. So two
tables with the same digest hold the same rows, whichever engine they are on.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import islice
from typing import Any, Final, NamedTuple

import apsw
import msgspec
import psycopg
from psycopg import sql

# Of this program and not of the registry: the target has its own.
_NOT_COPIED: Final = "migrations"
_ROWS_AT_ONCE: Final = 1000
_TYPES: Final = {"TEXT": "text", "BIGINT": "int8", "INTEGER": "int4", "BYTEA": "bytea"}

Rows = list[tuple[Any, ...]]
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name and its type in PostgreSQL."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns, and those of them that are its primary key, in their order."""

    name: str
    columns: list[Column]
    key: list[Column]

    @property
    def names(self) -> list[str]:
        """Return the names of the columns."""
        return [column.name for column in self.columns]


class Content(NamedTuple):
    """What was read of a table: how many rows, and the SHA-256 digest over all of them."""

    rows: int
    digest: bytes


class _Reading:
    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress = progress
        self._rows = 0
        self._sha256 = hashlib.sha256()

    def add(self, rows: Rows) -> None:
        """Take in the next rows: always as many as :func:`_batches` gives at once."""
        self._rows += len(rows)
        self._sha256.update(_encode(rows))
        self._progress(len(rows))

    def content(self) -> Content:
        return Content(self._rows, self._sha256.digest())


def copied_tables(source: apsw.Connection) -> list[Table]:
    """Return the tables of an SQLite registry, each after those that its foreign keys refer to."""
    names = [
        name
        for (name,) in source.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        if name != _NOT_COPIED
    ]
    order: TopologicalSorter[str] = TopologicalSorter()
    for name in names:
        order.add(name, *(row[2] for row in source.execute("SELECT * FROM pragma_foreign_key_list(?)", (name,))))
    return [_table(source, name) for name in order.static_order()]


def _table(source: apsw.Connection, name: str) -> Table:
    found: Any = source.execute("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid", (name,)).fetchall()
    columns = {column: Column(column, _TYPES[kind]) for column, kind, _ in found}
    key = sorted((place, column) for column, _, place in found if place)
    return Table(name, list(columns.values()), [columns[column] for _, column in key])


def count_rows(source: apsw.Connection, table: Table) -> int:
    """Return how many rows an SQLite table has."""
    counted: Any = source.execute(f"SELECT COUNT(*) FROM {table.name}").fetchall()[0][0]  # noqa: S608 - a name of ours
    return int(counted)


def rows_in_sqlite(source: apsw.Connection, table: Table) -> Iterator[Rows]:
    """Yield all rows in the order of the primary key, a batch at a time."""
    key = ", ".join(column.name for column in table.key)
    statement = f"SELECT {', '.join(table.names)} FROM {table.name} ORDER BY {key}"  # noqa: S608 - names of ours
    cursor = source.execute(statement)
    return _batches(lambda: list(islice(cursor, _ROWS_AT_ONCE)))


@contextmanager
def rows_in_postgresql(target: psycopg.Connection[Any], table: Table) -> Iterator[Iterator[Rows]]:
    """Return all rows in the order of the primary key as SQLite has it, a batch at a time."""
    statement = sql.SQL("SELECT {} FROM {} ORDER BY {}").format(
        sql.SQL(", ").join(map(sql.Identifier, table.names)),
        sql.Identifier(table.name),
        sql.SQL(", ").join(
            # By the bytes of UTF-8, and not as the database's language has it.
            sql.SQL('{} COLLATE "C"' if column.type == "text" else "{}").format(sql.Identifier(column.name))
            for column in table.key
        ),
    )
    with target.cursor(name="sensos_auth_copied", binary=True) as cursor:
        cursor.execute(statement)
        yield _batches(lambda: cursor.fetchmany(_ROWS_AT_ONCE))


def write_rows(
    target: psycopg.Connection[Any], table: Table, batches: Iterator[Rows], progress: Callable[[int], None]
) -> Content:
    """Add the rows to an empty PostgreSQL table, and return what they were. ``progress`` is told of each batch."""
    reading = _Reading(progress)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(table.name), sql.SQL(", ").join(map(sql.Identifier, table.names))
    )
    with target.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([column.type for column in table.columns])
        for rows in batches:
            for row in rows:
                copy.write_row(row)
            reading.add(rows)
    return reading.content()


def content_of(batches: Iterator[Rows], progress: Callable[[int], None]) -> Content:
    """Return what the rows are. ``progress`` is told of each batch."""
    reading = _Reading(progress)
    for rows in batches:
        reading.add(rows)
    return reading.content()


def _batches(next_rows: Callable[[], Rows]) -> Iterator[Rows]:
    while rows := next_rows():
        yield rows
