"""The embedded engine: SQLite, brought along by apsw and never the system's.

Write-ahead log, ``synchronous=FULL``: what a commit acknowledged survives power loss. Reads never wait for writers.
"""

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import apsw

from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable, SensosAuthError
from sensos_auth.registry.statements import Driver

BUSY_TIMEOUT_MS: Final = 2_000
PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
# Holds the inner pages of the indexes with a million applications; their leaves come from the system's own cache.
_CACHE_KIB: Final = 8_000
_OPEN = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW
_FOR_SQLITE = re.compile(r"/\*sqlite (.*?)\*/")


def check_engine(version: str) -> None:
    """Raise ConfigurationError for an SQLite with the WAL-reset bug, which can lose committed writes.

    Affected: 3.7.0 to 3.51.2, but for the corrected 3.50.7 and 3.44.6 (https://sqlite.org/wal.html#walresetbug).
    """
    number = tuple(int(part) for part in version.split("."))
    corrected = number >= (3, 51, 3) or (3, 50, 7) <= number < (3, 51) or (3, 44, 6) <= number < (3, 45)
    if not corrected:
        raise ConfigurationError(
            f"SQLite {version} can lose committed writes (sqlite.org/wal.html#walresetbug): "
            "install apsw 3.51.3 or newer, which carries a corrected engine"
        )


class SqliteDatabase:
    """A registry file. See :class:`sensos_auth.registry.database.Database` for the contract."""

    driver: Driver = "apsw"
    settles_in = 0.0  # every request reads the file

    def __init__(self, path: Path) -> None:
        """Open the file, and make it (0600, its folder 0700) where there is none.

        Raises ConfigurationError when the engine is affected, or the file is not private, not ours to open or not a
        database; RegistryUnavailable when it is locked.
        """
        check_engine(apsw.sqlite_lib_version())
        _make_private_file(path)
        with engine_errors(path):
            self.connection = apsw.Connection(str(path.parent.resolve() / path.name), flags=_OPEN)
            self.path = path
            self.connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            _switch_to_write_ahead_log(self.connection)
            # Plans don't depend on the values bound; otherwise SQLite plans the hot read anew each time (11 µs more).
            self.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
            for pragma in ("synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF", f"cache_size=-{_CACHE_KIB}"):
                self.connection.execute(f"PRAGMA {pragma}").fetchall()

    def another(self) -> Self:
        """Return another connection to the file; raises as opening it did."""
        return type(self)(self.path)

    @contextmanager
    def write(self, *, is_losable: bool = False) -> Iterator[apsw.Connection]:
        """Return a transaction that changes the file; no other writer gets in between."""
        with engine_errors(self.path):
            if not is_losable:
                with self._transaction("BEGIN IMMEDIATE"):
                    yield self.connection
                return
            # The next durable commit, of whichever connection, takes it to the disk with its own.
            self.connection.execute("PRAGMA synchronous=NORMAL").fetchall()
            try:
                with self._transaction("BEGIN IMMEDIATE"):
                    yield self.connection
            finally:
                self.connection.execute("PRAGMA synchronous=FULL").fetchall()

    @contextmanager
    def read(self) -> Iterator[apsw.Connection]:
        """Return a transaction that reads one snapshot, beside any writer."""
        with engine_errors(self.path), self._transaction("BEGIN"):
            yield self.connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self.connection.execute(begin)
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def has_table(self, connection: apsw.Connection, name: str) -> bool:
        """Tell whether there is a table of that name."""
        found = connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,)).fetchall()
        return bool(found)

    def run_script(self, connection: apsw.Connection, script: str) -> None:
        """Run the statements of the script, with what stands in ``/*sqlite …*/`` uncovered."""
        connection.execute(_FOR_SQLITE.sub(r"\1", script)).fetchall()

    def verify(self) -> list[str]:
        """Return what SQLite's own check finds wrong with the file; an empty list when it is sound."""
        with engine_errors(self.path):
            findings = [str(row[0]) for row in self.connection.execute("PRAGMA quick_check")]
        return [] if findings == ["ok"] else findings

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


def _switch_to_write_ahead_log(connection: apsw.Connection) -> None:
    mode = _journal_mode_after_switch(connection)
    if mode != "wal":
        raise ConfigurationError(f"the registry's folder allows no write-ahead log (SQLite answers {mode}): move it")


def _journal_mode_after_switch(connection: apsw.Connection) -> object:
    # Only the first to open a new file switches it. SQLite doesn't wait for the others who do the same at that moment.
    give_up_at = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            return connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(0.01)


def _make_private_file(path: Path) -> None:
    try:
        path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW, PRIVATE_FILE)
    except OSError as error:
        if path.is_symlink():
            raise ConfigurationError(f"the registry file {path} is a symbolic link: name the file itself") from error
        raise ConfigurationError(f"the registry file {path} cannot be opened: {error.strerror}") from error
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
    if mode & 0o077:
        raise ConfigurationError(
            f"the registry file {path} is open to other users (mode {mode:o}): run chmod 600 {path}"
        )


@contextmanager
def engine_errors(path: Path) -> Iterator[None]:
    """Raise what :func:`explain` makes of an error of the engine inside the block."""
    try:
        yield
    except apsw.Error as error:
        explained = explain(error, path)
        if explained is None:
            raise
        raise explained from error


def explain(error: apsw.Error, path: Path) -> SensosAuthError | None:
    """Return what an error of the engine means to the program; None when the mistake is the program's own."""
    match error:
        case apsw.NotADBError() | apsw.CorruptError():
            return ConfigurationError(f"the registry file {path} is damaged or no SQLite database: restore a backup")
        case apsw.BusyError() | apsw.LockedError() | apsw.ProtocolError():
            return RegistryUnavailable(f"the registry is busy: another program held it for {BUSY_TIMEOUT_MS} ms")
        case apsw.FullError():
            return RegistryUnavailable("the registry's disk is full")
        case apsw.ReadOnlyError() | apsw.PermissionsError():
            return RegistryUnavailable(f"the registry file {path} cannot be written: it or its folder is read-only")
        case apsw.IOError() | apsw.CantOpenError():
            return RegistryUnavailable(f"the registry file {path} cannot be read or written")
        case _:
            return None
