"""From a database URL to an open registry whose schema is the one that this program needs."""

import logging
import re
import time
from pathlib import Path
from typing import Final

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry.database import Database
from sensos_auth.registry.migrating import check_schema, migrate
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.registry.transactions import Registry

_SQLITE = re.compile(r"sqlite:///(?P<path>[^?#]+)")
NEEDS_PSYCOPG: Final = "a registry on PostgreSQL needs psycopg: run pip install 'sensos-auth[server,postgresql]'"
_POSTGRESQL = ("postgresql://", "postgres://")
_HOST = r"(?:\[[^\]]*\]|[^@:/?#,\[\]]*)(?::\d*)?"
# Stricter than libpq, which takes part of a password with an @ or a / for the host, and names that in errors.
_POSTGRESQL_URL = re.compile(rf"postgres(?:ql)?://(?:[^@/?#]*@)?{_HOST}(?:,{_HOST})*(?:[/?][^@]*)?")


def open_registry(url: str) -> Registry:
    """Open the registry at ``sqlite:///path`` (four slashes for an absolute path) or ``postgresql://…``.

    One on SQLite is brought up to date. One on PostgreSQL, which other nodes may be at work on, must be up to date:
    ``sensos-auth db upgrade`` sees to it.

    Raises ConfigurationError for another URL, a database that is newer than the program can work on, an older one on
    PostgreSQL, a file that is not private or not a database; RegistryUnavailable when it is busy or out of reach.
    """
    database = open_database(url)
    try:
        if is_postgresql(url):
            check_schema(database)
        else:
            migrate(database, int(time.time()))
    except BaseException:
        database.close()
        raise
    return Registry(database)


def open_database(url: str) -> Database:
    """Connect to the engine that the URL names, without touching what is in it.

    Raises ConfigurationError, RegistryUnavailable.
    """
    if not is_postgresql(url):
        return SqliteDatabase(sqlite_file(url))
    check_postgresql_url(url)
    return _postgresql_database(url)


def is_postgresql(url: str) -> bool:
    """Tell whether the URL names a PostgreSQL database, as far as its beginning tells."""
    return url.startswith(_POSTGRESQL)


def check_postgresql_url(url: str) -> None:
    """Raise ConfigurationError, which repeats nothing of it, for a URL of which another part may be password."""
    if not _POSTGRESQL_URL.fullmatch(url):
        raise ConfigurationError(
            "SENSOS_AUTH_DATABASE_URL is no URL of a PostgreSQL database: it must look like "
            "postgresql://user:password@host:5432/database, and @ / ? # % in the password, or in an option, be written "
            "as %40 %2F %3F %23 %25"
        )


def shown_url(url: str) -> str:
    """Return the URL as it may be shown, without password and without options."""
    if not is_postgresql(url):
        return url
    scheme, _, rest = url.partition("://")
    user, at, place = rest.partition("?")[0].rpartition("@")
    return f"{scheme}://{user.partition(':')[0]}{at}{place}"


def sqlite_file(url: str) -> Path:
    """Return the file that ``sqlite:///path`` names, whether or not it exists; raises ConfigurationError."""
    match = _SQLITE.fullmatch(url)
    if match is None:
        raise ConfigurationError(
            "SENSOS_AUTH_DATABASE_URL must look like sqlite:///path/to/registry.sqlite3 or "
            "postgresql://user@host:5432/database"
        )
    return Path(match["path"])


def _postgresql_database(url: str) -> Database:
    try:
        from sensos_auth.registry.postgresql import PostgresqlDatabase  # noqa: PLC0415 - needs psycopg, which is extra
    except ImportError as error:
        if (error.name or "").startswith("sensos_auth"):
            raise
        raise ConfigurationError(NEEDS_PSYCOPG) from error
    # What matters is raised. Without a handler, what it logs of lost connections would be written to stderr as well.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    return PostgresqlDatabase(url)
