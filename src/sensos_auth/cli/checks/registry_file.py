"""Checks of the registry's file, its folder and its disk."""

import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from sensos_auth.cli.checks.finding import Finding, ok, warning, wrong

_MEBIBYTE = 1 << 20
_LARGEST_LOG = 64 * _MEBIBYTE
_LITTLE_SPACE = 256 * _MEBIBYTE
_NO_SPACE = 16 * _MEBIBYTE
_NETWORK_FILE_SYSTEMS = {"ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "nfs", "nfs4", "smb3", "smbfs"}


def check_registry_file(path: Path) -> Iterator[Finding]:
    """Look at the file, its log, its folder and the disk; the file need not exist."""
    try:
        yield from _folder(path.parent)
        yield from _file(path)
        existing = _nearest_existing(path.parent)
        yield from _file_system(existing, _mounts())
        yield _space(existing, shutil.disk_usage(existing).free)
    except OSError as error:
        yield wrong("file", f"{error.filename or path} cannot be looked at: {error.strerror}")


def _folder(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        nearest = _nearest_existing(folder)
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            yield wrong("folder", f"{folder} does not exist and {nearest} is not writable: make it, or choose another")
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not folder.is_dir():
        yield wrong("folder", f"{folder} is not a folder: choose another SENSOS_AUTH_DATA_DIR")
    elif mode & 0o022 and not mode & stat.S_ISVTX:
        yield wrong("folder", f"other users can replace what is in {folder} (mode {mode:o}): run chmod 700 {folder}")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield wrong("folder", f"{folder} is not writable for {_user(os.geteuid())}, and SQLite keeps its log there")
    else:
        yield ok("folder", str(folder))


def _file(path: Path) -> Iterator[Finding]:
    try:
        found = path.lstat()
    except FileNotFoundError:
        yield warning("file", f"there is no registry at {path} yet: any other command, or serve, makes it")
        return
    problems = list(_problems(path, found))
    yield from (wrong("file", problem) for problem in problems)
    if not problems:
        owner = _user(found.st_uid)
        yield (
            ok("file", str(path))
            if found.st_uid == os.geteuid()
            else warning("file", f"{path} belongs to {owner}: run doctor as {owner}, as serve does")
        )
    yield from _log(path)


def _problems(path: Path, found: os.stat_result) -> Iterator[str]:
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode):
        yield f"{path} is not a regular file: set SENSOS_AUTH_DATABASE_URL to the registry file itself"
        return
    if mode & 0o077:
        yield f"{path} is open to other users (mode {mode:o}): run chmod 600 {path}"
    if not os.access(path, os.R_OK | os.W_OK):
        yield f"{path} is not readable and writable for {_user(os.geteuid())}: run chown and chmod 600"


def _log(path: Path) -> Iterator[Finding]:
    log = path.with_name(f"{path.name}-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > _LARGEST_LOG:
        yield warning(
            "log", f"{log} has {size // _MEBIBYTE} MiB: a program reads the registry for too long; find and end it"
        )


def _file_system(folder: Path, mounts: list[tuple[Path, str]]) -> Iterator[Finding]:
    folder = folder.resolve()
    around = [(mount, kind) for mount, kind in mounts if folder.is_relative_to(mount)]
    if around:
        mount, kind = max(around, key=lambda found: len(found[0].parts))
        if kind in _NETWORK_FILE_SYSTEMS:
            yield wrong(
                "disk", f"{mount} is a network file system ({kind}), where SQLite is not safe: use a local disk"
            )


def _mounts() -> list[tuple[Path, str]]:
    # Linux: proc(5), mountinfo. Elsewhere nothing can be said.
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        place, _, kind = line.partition(" - ")
        found.append((Path(place.split(" ")[4].replace("\\040", " ")), kind.split(" ")[0]))
    return found


def _space(folder: Path, free: int) -> Finding:
    message = f"{free // _MEBIBYTE} MiB free at {folder}"
    if free < _NO_SPACE:
        return wrong("space", f"{message}, changes will be refused: make room")
    if free < _LITTLE_SPACE:
        return warning("space", f"{message}: make room")
    return ok("space", message)


def _nearest_existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _user(number: int) -> str:
    try:
        return f"the user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"the user {number}"
