"""A document that a verifier keeps in a file, so that it can start again while its issuer is away.

The folder is for the verifier's user alone (0700), and so are the files (0600). A file is exchanged in one step, holds
for whom and when it was fetched, and a checksum over all of it: one that was torn, mixed up with another issuer's, or
opened to others is passed over, with a line in the log, as if there were none. The checksum is no signature: whoever
can write to the folder as the verifier's user can give the verifier other keys, as they could exchange its program.

Format, which a later version may only replace under another first word: the line ``sensos-auth-kept-1 <SHA-256 of the
rest>``, a line of JSON (``what``, ``issuer``, ``at`` in UTC seconds), and the document.
"""

import hashlib
import logging
import os
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from sensos_auth.model.errors import InvalidInput

LARGEST = 256 * 1024 * 1024
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LONGEST_LINE = 4096
_FORMAT = b"sensos-auth-kept-1"
_CLOCKS_MAY_DIFFER = 30.0
_OTHERS = 0o077
_ABANDONED_AFTER = 3600.0  # seconds; a temporary file as old as that has lost its process

_logger = logging.getLogger("sensos_auth.verifying")


class _Header(msgspec.Struct, frozen=True):
    what: str
    issuer: str
    at: float


class _Unfit(Exception):
    """The file is not to be gone by; the text says why."""


class KeptDocument:
    """One document in ``folder``: ``what`` it is, of which ``issuer``. Any number of processes may share a folder.

    ``now`` returns UTC seconds: only they can be compared across a restart of the machine.
    """

    def __init__(
        self, folder: str | os.PathLike[str], what: str, issuer: str, *, now: Callable[[], float] = time.time
    ) -> None:
        self._folder = Path(folder)
        self._what = what
        self._issuer = issuer
        self._now = now
        self.path = self._folder / f"{what}-{hashlib.sha256(issuer.encode()).hexdigest()[:16]}"
        self._failures: set[str] = set()

    def load(self) -> tuple[bytes, float] | None:
        """Return the document, and how many seconds ago it was true: infinitely many if it claims to be of the future.

        None when there is none, or none to go by.
        """
        try:
            content = self._read()
            header, document = _taken_apart(content)
            if (header.what, header.issuer) != (self._what, self._issuer):
                raise _Unfit("is another document")  # noqa: TRY301 - handled with the others
        except FileNotFoundError:
            return None
        except (_Unfit, OSError) as error:
            self._report("not read", error)
            return None
        ago = self._now() - header.at
        return document, float("inf") if ago < -_CLOCKS_MAY_DIFFER else max(ago, 0.0)

    def save(self, document: bytes, *, ago: float = 0.0) -> None:
        """Keep the document, which was true ``ago`` seconds ago, unless another process has kept a later one.

        What can't be written is logged, and no failure.
        """
        now = self._now()
        if now - ago < self._kept_at() <= now + _CLOCKS_MAY_DIFFER:
            return
        header = msgspec.json.encode(_Header(self._what, self._issuer, now - ago))
        content = header + b"\n" + document
        checksum = hashlib.sha256(content).hexdigest().encode()
        try:
            self._write(_FORMAT + b" " + checksum + b"\n" + content)
        except (_Unfit, OSError) as error:
            self._report("not written", error)

    def written_ago(self) -> float:
        """Return how many seconds ago any process wrote the file; infinitely many if that cannot be told."""
        try:
            ago = self._now() - self.path.stat().st_mtime
        except OSError:
            return float("inf")
        return ago if ago >= 0 else float("inf")

    def _kept_at(self) -> float:
        """Return when the kept document was true, as it says itself; infinitely long ago if that cannot be told."""
        try:
            with os.fdopen(os.open(self.path, _READING), "rb") as file:
                file.readline(_LONGEST_LINE)
                return msgspec.json.decode(file.readline(_LONGEST_LINE), type=_Header).at
        except (OSError, ValueError, msgspec.DecodeError):
            return float("-inf")

    def _read(self) -> bytes:
        descriptor = os.open(self.path, _READING)
        with os.fdopen(descriptor, "rb") as file:
            self._check_folder()
            _check_private(os.fstat(file.fileno()), stat.S_ISREG)
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise _Unfit("is too large")
        return content

    def _write(self, content: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_folder()
        self._remove_abandoned()
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
        try:
            with _created(temporary) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _check_folder(self) -> None:
        _check_private(self._folder.stat(), stat.S_ISDIR)

    def _remove_abandoned(self) -> None:
        for left in self._folder.glob(f".{self.path.name}.*"):
            try:
                if abs(self._now() - left.stat().st_mtime) > _ABANDONED_AFTER:
                    left.unlink()
            except FileNotFoundError:
                continue

    def _report(self, what: str, error: Exception) -> None:
        cause = str(error) if isinstance(error, _Unfit) else type(error).__name__
        if cause not in self._failures:
            self._failures.add(cause)
            _logger.warning("the kept file %s was %s: %s", self.path, what, cause)


class KeptContent(NamedTuple):
    """What a kept file holds: ``what`` it is, of which ``issuer``, when it was true (UTC seconds), and the document."""

    what: str
    issuer: str
    at: float
    document: bytes


def read_kept(content: bytes) -> KeptContent:
    """Return what is in a kept file, wherever it was copied from; raises InvalidInput when it is damaged or none."""
    try:
        header, document = _taken_apart(content)
    except _Unfit as error:
        raise InvalidInput(f"this is no file that a verifier kept: {error}") from None
    return KeptContent(header.what, header.issuer, header.at, document)


def _created(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "wb")


def _check_private(status: os.stat_result, is_kind: Callable[[int], bool]) -> None:
    if not is_kind(status.st_mode):
        raise _Unfit("it is no regular file in a folder")
    if status.st_uid != os.geteuid() or status.st_mode & _OTHERS:
        raise _Unfit("file and folder must belong to this user, and be open to nobody else (0600 in 0700)")


def _taken_apart(content: bytes) -> tuple[_Header, bytes]:
    first, _, rest = content.partition(b"\n")
    if first != _FORMAT + b" " + hashlib.sha256(rest).hexdigest().encode():
        raise _Unfit("it is damaged, or of another version")
    header, _, document = rest.partition(b"\n")
    try:
        return msgspec.json.decode(header, type=_Header), document
    except msgspec.DecodeError:
        raise _Unfit("it is damaged, or of another version") from None
