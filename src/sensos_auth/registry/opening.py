"""From a database URL to an open registry that is up to date."""

import re
import time
from pathlib import Path

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry.database import Database
from sensos_auth.registry.migrating import migrate
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.registry.transactions import Registry

_SQLITE = re.compile(r"sqlite:///(?P<path>[^?#]+)")


def open_registry(url: str) -> Registry:
    """Open the registry at ``sqlite:///path`` (four slashes for an absolute path) and bring it up to date.

    Raises ConfigurationError for another URL, a database newer than the program, a file that is not private or not a
    database; RegistryUnavailable when it is busy or out of reach.
    """
    database = open_database(url)
    try:
        migrate(database, int(time.time()))
    except BaseException:
        database.close()
        raise
    return Registry(database)


def open_database(url: str) -> Database:
    """Connect to the engine that the URL names, without touching what is in it."""
    return SqliteDatabase(sqlite_file(url))


def sqlite_file(url: str) -> Path:
    """Return the file that ``sqlite:///path`` names, whether or not it exists; raises ConfigurationError."""
    match = _SQLITE.fullmatch(url)
    if match:
        return Path(match["path"])
    if url.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError(
            "SENSOS_AUTH_DATABASE_URL: serving on PostgreSQL is not available yet, use sqlite:///path"
        )
    raise ConfigurationError("SENSOS_AUTH_DATABASE_URL must look like sqlite:///path/to/registry.sqlite3")
