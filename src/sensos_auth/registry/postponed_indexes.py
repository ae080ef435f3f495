"""Filling tables of PostgreSQL first and indexing them afterwards, which is several times as quick as both at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

# Foreign keys before what they rest on. Primary keys stay: rows come in their order.
_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint
    WHERE connamespace = current_schema()::regnamespace AND contype IN ('f', 'u')
    ORDER BY contype, conrelid, conname
"""
_INDEXES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid)
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE relnamespace = current_schema()::regnamespace
      AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)
    ORDER BY indexrelid
"""
# For each index. PostgreSQL sorts in as much memory, and on the disk beyond it.
_SORTS_WITHIN = "SET LOCAL maintenance_work_mem = '128MB'"


@contextmanager
def postponed_indexes(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Drop indexes, unique constraints and foreign keys of the schema during the block, within the open transaction.

    They are made again as they were, which checks them. The statistics are brought up to date as well, without which
    the first questions would be answered as if the tables were empty.
    """
    constraints = connection.execute(_CONSTRAINTS).fetchall()
    indexes = connection.execute(_INDEXES).fetchall()
    for table, name, _ in constraints:
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.SQL(table), sql.Identifier(name)))
    for name, _ in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.SQL(name)))
    yield
    connection.execute(_SORTS_WITHIN)
    for _, definition in indexes:
        connection.execute(sql.SQL(definition))
    for (table,) in connection.execute(
        "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema()"
    ).fetchall():
        connection.execute(sql.SQL("ANALYZE {}").format(sql.SQL(table)))
    for table, name, definition in reversed(constraints):
        connection.execute(
            sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                sql.SQL(table), sql.Identifier(name), sql.SQL(definition)
            )
        )
