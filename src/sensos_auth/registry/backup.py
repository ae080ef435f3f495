"""Backups of a registry file: one consistent file, made beside everybody who works on the registry.

A backup is an SQLite database with the registry's tables and one more, ``backup``, which says of what it is a copy. It
is written last, into a file that is already sound and complete.
"""

import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

from sensos_auth.model.errors import ConfigurationError, Conflict, RegistryUnavailable
from sensos_auth.registry.sqlite import BUSY_TIMEOUT_MS, PRIVATE_FILE, check_engine, engine_errors

_PAGES_AT_ONCE = 2_000
_PARTIAL: Final = ".partial"
_COMPANIONS = ("-journal", "-wal", "-shm")
_TABLE = """
CREATE TABLE backup (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    made_at BIGINT NOT NULL,
    version BIGINT NOT NULL,
    audit_hash BYTEA
)
"""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself.

    ``made_at`` is in UTC seconds, ``version`` the registry version that it holds, ``head`` the hash of its last audit
    event (None in a registry from before there was a chain).
    """

    made_at: int
    version: int
    head: bytes | None


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made: its manifest, its size in bytes, and the SHA-256 digest of the file."""

    path: Path
    manifest: Manifest
    size: int
    sha256: bytes


def back_up(
    source: Path, target: Path, *, replace: bool = False, progress: Progress = lambda _done, _total: None
) -> Backup:
    """Copy the registry file as it is at this moment, and return when the copy is whole, sound and on the disk.

    ``progress`` is told how many pages are done, and of how many. Raises Conflict when there is a file already, unless
    ``replace``: then the old one stays until the new one is complete. ConfigurationError when the source is damaged or
    the folder can't be written, RegistryUnavailable when the source is busy or the disk is full.
    """
    check_engine(apsw.sqlite_lib_version())
    if target.exists() and target.samefile(source):
        raise Conflict(f"{target} is the registry itself: name another file")
    if not replace and (target.exists() or target.is_symlink()):
        raise Conflict(f"{target} exists already: choose another name, or add --force")
    with _folder_errors(target), partial_file(target) as (partial, descriptor):
        manifest = _copy(source, partial, progress)
        os.fsync(descriptor)
        digest = _sha256(partial)
        size = partial.stat().st_size
        _put(partial, target, replace=replace)
        sync_folder(target.parent)
    return Backup(target, manifest, size, digest)


def read_manifest(connection: apsw.Connection) -> Manifest | None:
    """Return what the open database says of itself, None if it is no backup that was completed."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'backup'").fetchall():
        return None
    rows = connection.execute("SELECT made_at, version, audit_hash FROM backup").fetchall()
    return _manifest(rows[0]) if rows else None


def sync_folder(folder: Path) -> None:
    """Let what was renamed in the folder survive the loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(source: Path, partial: Path, progress: Progress) -> Manifest:
    with (
        _closing_both(source, partial) as (registry, copy),
        engine_errors(source),
    ):
        made_at = int(time.time())
        # The open snapshot keeps the copy from starting anew whenever somebody writes.
        registry.execute("BEGIN")
        registry.execute("SELECT 1 FROM sqlite_schema").fetchall()
        _copy_pages(registry, copy, progress)
        registry.execute("ROLLBACK")
    with closing(apsw.Connection(str(partial))) as copy:
        copy.execute("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=DELETE; PRAGMA synchronous=OFF")
        _check(copy, source)
        return _write_manifest(copy, made_at)


@contextmanager
def _closing_both(source: Path, partial: Path) -> Iterator[tuple[apsw.Connection, apsw.Connection]]:
    with engine_errors(source):
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW
        registry = apsw.Connection(str(source.parent.resolve() / source.name), flags=flags)
    with closing(registry), closing(apsw.Connection(str(partial.parent.resolve() / partial.name))) as copy:
        registry.set_busy_timeout(BUSY_TIMEOUT_MS)
        yield registry, copy


def _copy_pages(registry: apsw.Connection, copy: apsw.Connection, progress: Progress) -> None:
    try:
        copy.execute("PRAGMA synchronous=OFF")
        with copy.backup("main", registry, "main") as backup:
            while not backup.done:
                backup.step(_PAGES_AT_ONCE)
                progress(backup.page_count - backup.remaining, backup.page_count)
    except apsw.FullError:
        raise RegistryUnavailable("the disk of the backup is full") from None


def _check(copy: apsw.Connection, source: Path) -> None:
    try:
        findings = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(3)")]
    except (apsw.CorruptError, apsw.NotADBError):
        findings = ["it cannot be read"]
    if findings != ["ok"]:
        raise ConfigurationError(f"the registry file {source} is damaged ({'; '.join(findings)}): restore a backup")


def _write_manifest(copy: apsw.Connection, made_at: int) -> Manifest:
    columns = {row[1] for row in copy.execute("PRAGMA table_info(clock)")}
    head = "audit_hash" if "audit_hash" in columns else "NULL"
    rows = copy.execute(f"SELECT version, {head} FROM clock").fetchall() if columns else []  # noqa: S608 - ours
    if not rows:
        raise ConfigurationError("the registry is empty: there is nothing to back up")
    manifest = _manifest((made_at, *rows[0]))
    try:
        with copy:
            copy.execute("DROP TABLE IF EXISTS backup")
            copy.execute(_TABLE)
            copy.execute("INSERT INTO backup VALUES (1, ?, ?, ?)", (manifest.made_at, manifest.version, manifest.head))
    except apsw.FullError:
        raise RegistryUnavailable("the disk of the backup is full") from None
    return manifest


def _manifest(row: tuple[Any, ...]) -> Manifest:
    return Manifest(*row)


@contextmanager
def partial_file(target: Path) -> Iterator[tuple[Path, int]]:
    """Make a private file beside the target, for as long as the block lasts, and remove those that a kill has left.

    Yields its path and a descriptor of it.
    """
    for left in target.parent.glob(f".{_taken_literally(target.name)}.*{_PARTIAL}"):
        _remove_abandoned(left)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}{_PARTIAL}")
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield partial, descriptor
    finally:
        _remove(partial)
        os.close(descriptor)


def _remove(partial: Path) -> None:
    for suffix in ("", *_COMPANIONS):
        partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def _taken_literally(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _remove_abandoned(left: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(left, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # its maker holds the lock while it lives
            _remove(left)
        finally:
            os.close(descriptor)


def _put(partial: Path, target: Path, *, replace: bool) -> None:
    if replace:
        partial.replace(target)
        return
    try:
        target.hardlink_to(partial)  # unlike a rename, it never replaces what somebody made meanwhile
    except FileExistsError:
        raise Conflict(f"{target} exists already: choose another name, or add --force") from None
    partial.unlink()


@contextmanager
def _folder_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"the backup {target} cannot be written: {error.strerror}") from error


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
