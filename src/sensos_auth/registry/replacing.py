"""Putting a registry file in the place of another, so that at every instant one of the two is there, whole."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import apsw

from sensos_auth.model.errors import ConfigurationError, Conflict, RegistryUnavailable
from sensos_auth.registry.backup import sync_folder
from sensos_auth.registry.sqlite import BUSY_TIMEOUT_MS, PRIVATE_FOLDER, engine_errors

# Where SQLite locks a file that is being read (https://sqlite.org/fileformat2.html#the_lock_byte_page).
_SHARED_FIRST, _SHARED_SIZE = 0x40000000 + 2, 510
_BEGINNING = b"SQLite format 3\0"
_LOG, _INDEX = "-wal", "-shm"


class ReservedPlace:
    """A place for a registry file that nobody else has open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._had_file = path.exists()

    def put(self, new: Path) -> Path | None:
        """Put the file in the place, and return where the one that was there is kept now, if there was one."""
        kept = self._free_name() if self._has_remains() else None
        if kept is not None:
            if self._had_file:
                kept.hardlink_to(self._path)
            # Only a file that could not be opened still has a log here: SQLite would take it for the new one's.
            if self._companion(_LOG).exists():
                self._companion(_LOG).rename(kept.with_name(kept.name + _LOG))
            self._companion(_INDEX).unlink(missing_ok=True)
            sync_folder(self._path.parent)
        new.replace(self._path)
        sync_folder(self._path.parent)
        if self._had_file:
            # Who opened the old file just before waits for its lock no longer than this, and never gets to work on it.
            time.sleep(1.1 * BUSY_TIMEOUT_MS / 1000)
        return kept

    def _has_remains(self) -> bool:
        return self._had_file or self._companion(_LOG).exists()

    def _free_name(self) -> Path:
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        names = [f"{self._path.name}.before-restore-{moment}"]
        while self._path.with_name(names[-1]).exists():
            names.append(f"{names[0]}-{len(names) + 1}")
        return self._path.with_name(names[-1])

    def _companion(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)


@contextmanager
def reserved_place(path: Path, *, replace: bool) -> Iterator[ReservedPlace]:
    """Keep everybody else away from the registry file, and from the place where there is none, during the block.

    Raises Conflict when another program has the file open, such as the service, when another restore is under way, and
    when there is a file but not ``replace``. ConfigurationError when the folder can't be written.
    """
    if path.is_symlink():
        raise ConfigurationError(f"the registry file {path} is a symbolic link: name the file itself")
    if path.exists() and not replace:
        raise Conflict(f"there is a registry at {path}: with --force it is kept beside, under another name")
    try:
        path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(_locked_folder(path.parent))
            if path.exists():
                stack.enter_context(_locked_file(path))
            yield ReservedPlace(path)
    except OSError as error:
        raise ConfigurationError(f"the registry file {path} cannot be replaced: {error.strerror}") from error


@contextmanager
def _locked_folder(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Conflict(f"another restore into {folder} is under way") from None
    finally:
        os.close(descriptor)


def _locked_file(path: Path) -> AbstractContextManager[None]:
    with path.open("rb") as file:
        beginning = file.read(len(_BEGINNING))
    # What is no database is not given to the engine, which would remove its log.
    return _locked_database(path) if beginning in {_BEGINNING, b""} else _locked_remains(path)


@contextmanager
def _locked_database(path: Path) -> Iterator[None]:
    with engine_errors(path):
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW
        connection = apsw.Connection(str(path.parent.resolve() / path.name), flags=flags)
    with closing(connection):
        try:
            with engine_errors(path):
                _lock(connection)
        except RegistryUnavailable as error:
            if isinstance(error.__cause__, (apsw.BusyError, apsw.LockedError)):
                raise _in_use(path) from None
            raise
        except ConfigurationError:
            is_damaged = True
        else:
            is_damaged = False
        if not is_damaged:
            yield
            return
    with _locked_remains(path):
        yield


def _lock(connection: apsw.Connection) -> None:
    # Takes the log into the file, and then holds the file alone: whoever has it open keeps this from happening.
    connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
    connection.pragma("journal_mode", "delete")
    connection.execute("BEGIN EXCLUSIVE")


@contextmanager
def _locked_remains(path: Path) -> Iterator[None]:
    """Hold the lock of a file that the engine cannot open any more: a service may still have it open."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except (BlockingIOError, PermissionError):
            raise _in_use(path) from None
        yield
    finally:
        os.close(descriptor)


def _in_use(path: Path) -> Conflict:
    return Conflict(f"another program has {path} open: end the service, and every command on it, first")
