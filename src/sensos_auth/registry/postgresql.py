"""PostgreSQL as the registry's engine. Today for the registry's own use cases; serving on it comes with its cache."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry.statements import Driver

# Of pg_advisory_xact_lock: one number for all writers of a registry ("SENSOS" in ASCII).
_WRITERS_LOCK = 0x53454E534F53
_FOR_POSTGRESQL = re.compile(r"/\*postgresql (.*?)\*/", re.DOTALL)
_SETTINGS = "-c lock_timeout=2000 -c statement_timeout=5000 -c idle_in_transaction_session_timeout=10000"


class PostgresqlDatabase:
    """A connection to a PostgreSQL database. See :class:`sensos_auth.registry.database.Database` for the contract."""

    driver: Driver = "psycopg"

    def __init__(self, url: str) -> None:
        """Connect; raises RegistryUnavailable when the server can't be reached."""
        with _errors():
            self._connection: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(
                url, connect_timeout=5, options=_SETTINGS, autocommit=True
            )

    @contextmanager
    def write(self, *, is_losable: bool = False) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Return a transaction that changes the database."""
        # Writers queue here, migrations among them, and so commit in version order.
        with _errors(), self._connection.transaction():
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITERS_LOCK,))
            if is_losable:
                self._connection.execute("SET LOCAL synchronous_commit = off")
            yield self._connection

    @contextmanager
    def read(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Return a transaction that reads one snapshot."""
        with _errors(), self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield self._connection

    def has_table(self, connection: psycopg.Connection[tuple[Any, ...]], name: str) -> bool:
        """Tell whether there is a table of that name."""
        # Not to_regclass(), which may answer from a cache that is older than the lock.
        query = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = %s"
        return connection.execute(query, (name,)).fetchone() is not None

    def run_script(self, connection: psycopg.Connection[tuple[Any, ...]], script: str) -> None:
        """Run the statements of the script, with what stands in ``/*postgresql …*/`` uncovered."""
        connection.execute(_FOR_POSTGRESQL.sub(r"\1", script).encode())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        raise RegistryUnavailable("the PostgreSQL registry cannot be reached or is busy") from error
