"""PostgreSQL as the registry's engine, for as many nodes as there are.

Writers queue behind one lock, on whichever node they are, so that registry versions grow in the order of the commits: a
reader never sees a version before the one that precedes it.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Self

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry.lease import LEASE
from sensos_auth.registry.postgresql_connection import (
    LONGEST_ANSWER,
    Connection,
    check_server,
    connect,
    place_of,
    reason,
    settings,
    watch,
)
from sensos_auth.registry.server_clock import check_clock
from sensos_auth.registry.statements import Driver

# What followers listen to: they look at once, and not only when they would have anyway.
CHANNEL: Final = "sensos_auth"
# Connections that all threads of a process share, and seconds that one of them waits for its turn.
MOST_CONNECTIONS: Final = 6
_LONGEST_WAIT = 1.0
# Seconds in which a connection that has rested must answer; then there is time left for a new one.
_ALIVE_WITHIN = _LONGEST_WAIT / 2
# Seconds. Beyond the lease, because clocks of two machines don't run equally fast.
_MARGIN = 0.01
# Of pg_advisory_xact_lock: one number for all writers of a registry ("SENSOS" in ASCII).
_WRITERS_LOCK = 0x53454E534F53
_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,  # the connection was closed meanwhile
    psycopg.errors.ReadOnlySqlTransaction,  # the server has become a standby
    psycopg.errors.IdleInTransactionSessionTimeout,
)
# Writers queue here, migrations among them, and so commit in version order. Who then does nothing for ten seconds, such
# as a process that was stopped, holds nobody up any longer.
_QUEUE_AND_HURRY = (
    "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS FLOAT8), "
    "pg_advisory_xact_lock(%s), set_config('idle_in_transaction_session_timeout', '10s', true)"
)
_FOR_POSTGRESQL = re.compile(r"/\*postgresql (.*?)\*/", re.DOTALL)


class PostgresqlDatabase:
    """A PostgreSQL database. See :class:`sensos_auth.registry.database.Database` for the contract.

    Its connections are pooled, so that any number of threads may use it at once.
    """

    driver: Driver = "psycopg"
    settles_in = LEASE + _MARGIN

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        """Connect. ``clock`` is this machine's, in UTC seconds, which must be right for changes.

        Raises RegistryUnavailable when the server can't be reached, ConfigurationError for a bad URL, or a server that
        is too old or loses what it has acknowledged.
        """
        self.url = url
        self._clock = clock
        self._is_shared = False
        with postgresql_errors(), connect(url, "start") as connection:
            check_server(connection)
            primary = place_of(connection)
        self._pool = ConnectionPool(
            url,
            connection_class=Connection,
            kwargs=settings(url, "registry") | primary,
            configure=watch,
            check=self._check_alive,
            min_size=0,
            max_size=MOST_CONNECTIONS,
            timeout=_LONGEST_WAIT,
            # Then it is given up, and tried again for the next who asks: the pauses between tries don't grow.
            reconnect_timeout=_LONGEST_WAIT / 2,
            num_workers=1,
            open=True,
        )
        self._make_first_connection()
        self._pool.kwargs = settings(url, "registry")  # from now on to whichever of the hosts is the primary

    def _make_first_connection(self) -> None:
        """Make it to the host that has just answered: silent ones before it would take longer than anybody waits."""
        try:
            with postgresql_errors():
                self._pool.putconn(self._pool.getconn())
        except RegistryUnavailable:
            self._pool.close()
            raise

    def another(self) -> Self:
        """Return the same database for another thread, which needs no connection of its own."""
        shared = object.__new__(type(self))
        shared.url = self.url
        shared._clock = self._clock
        shared._pool = self._pool
        shared._is_shared = True
        return shared

    @contextmanager
    def write(self, *, is_losable: bool = False) -> Iterator[Connection]:
        """Return a transaction that changes the database."""
        with self._connection() as connection:
            # Not whatever the server is set to: a snapshot from before the lock would be out of date.
            connection.isolation_level, connection.read_only = psycopg.IsolationLevel.READ_COMMITTED, None
            with connection.transaction():
                self._take_turn(connection)
                if is_losable:
                    connection.execute("SET LOCAL synchronous_commit = off")
                yield connection
                if not is_losable:
                    connection.execute(f"NOTIFY {CHANNEL}")
                warnings = connection.warnings
            if connection.warnings > warnings:
                # It was told not to wait for its standby any longer. The change stands here, and may be lost there.
                raise RegistryUnavailable("the change was not confirmed by the standby: whether it lasts is unknown")

    def _take_turn(self, connection: Connection) -> None:
        asked_at = self._clock()
        ((server_time, *_),) = connection.execute(_QUEUE_AND_HURRY, (_WRITERS_LOCK,)).fetchall()
        check_clock(asked_at, server_time, self._clock())

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Return a transaction that reads one snapshot."""
        with self._connection() as connection:
            connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
            with connection.transaction():
                yield connection

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with postgresql_errors(), self._pool.connection() as connection:
            yield connection

    def _check_alive(self, connection: Connection) -> None:
        try:
            connection.check_alive(_ALIVE_WITHIN)
        except psycopg.Error:
            self._pool.drain()  # the way to the server is gone: let nobody find that out with the others, one by one
            raise

    def has_table(self, connection: Connection, name: str) -> bool:
        """Tell whether there is a table of that name."""
        # Not to_regclass(), which may answer from a cache that is older than the lock.
        query = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = %s"
        return connection.execute(query, (name,)).fetchone() is not None

    def run_script(self, connection: Connection, script: str) -> None:
        """Run the statements of the script, with what stands in ``/*postgresql …*/`` uncovered, however long it takes.

        What holds a lock that they need is waited for as ever: two seconds.
        """
        connection.longest_answer = None
        try:
            connection.execute("SET LOCAL statement_timeout = 0")
            connection.execute(_FOR_POSTGRESQL.sub(r"\1", script).encode())
        finally:
            connection.longest_answer = LONGEST_ANSWER

    def close(self) -> None:
        """Close the connections, unless another one shares them."""
        if not self._is_shared:
            self._pool.close()


@contextmanager
def postgresql_errors() -> Iterator[None]:
    """Raise RegistryUnavailable for whatever the server or the way to it does not do inside the block."""
    try:
        yield
    except (PoolTimeout, PoolClosed) as error:
        raise RegistryUnavailable("the PostgreSQL registry cannot be reached, or all connections are in use") from error
    except _UNAVAILABLE as error:
        raise RegistryUnavailable(f"the PostgreSQL registry cannot be reached or is busy: {reason(error)}") from error
