"""A registry file, opened to be looked at: nothing is made, migrated or written, not even the files of its log."""

from pathlib import Path

import apsw

from sensos_auth.registry.sqlite import BUSY_TIMEOUT_MS, SqliteDatabase, check_engine, engine_errors

_OPEN = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_NOFOLLOW | apsw.SQLITE_OPEN_URI


class ReadOnlySqliteDatabase(SqliteDatabase):
    """An existing registry file of any schema, for reading.

    While no program has the file open there is no log (``-wal``), and reading through one would make it. The file is
    then read as immutable, and ``is_unguarded`` is true: what was read is void if a log exists afterwards.
    """

    def __init__(self, path: Path) -> None:
        """Open the file; raises ConfigurationError or RegistryUnavailable when it can't be read."""
        check_engine(apsw.sqlite_lib_version())
        self.path = path
        self.is_unguarded = not self._has_log()
        with engine_errors(path):
            url = (path.parent.resolve() / path.name).as_uri() + ("?immutable=1" if self.is_unguarded else "")
            self.connection = apsw.Connection(url, flags=_OPEN)
            self.connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            self.connection.execute("PRAGMA schema_version").fetchall()

    def was_disturbed(self) -> bool:
        """Tell whether another program opened the file while it was read as immutable."""
        return self.is_unguarded and self._has_log()

    def _has_log(self) -> bool:
        return self.path.with_name(f"{self.path.name}-wal").exists()
