"""PostgreSQL as the registry's engine. Today for the registry's own use cases; serving on it comes with its cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry.statements import Driver

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
    def write(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Return a transaction that changes the database."""
        # Every change starts by updating the clock's only row, so writers queue there and commit in version order.
        with _errors(), self._connection.transaction():
            yield self._connection

    @contextmanager
    def read(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Return a transaction that reads one snapshot."""
        with _errors(), self._connection.transaction():
            self._connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield self._connection

    def run_script(self, connection: psycopg.Connection[tuple[Any, ...]], script: str) -> None:
        """Run the statements of the script."""
        connection.execute(script.encode())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        raise RegistryUnavailable("the PostgreSQL registry cannot be reached or is busy") from error
