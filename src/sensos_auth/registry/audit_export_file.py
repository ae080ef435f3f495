"""A file that the audit trail is exported to, again and again: each time what came since."""

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from sensos_auth.model.errors import Conflict, InvalidInput, RegistryUnavailable
from sensos_auth.registry.audit import AuditEvent, events_page
from sensos_auth.registry.audit_export import ExportedEvent, export_line, parse_line
from sensos_auth.registry.transactions import View

_TAIL = 1 << 20
_BEGINNING = b'{"version":'  # of every line


class ExportFile:
    """An export that grows: private (0600), whole lines only, on the disk before :meth:`append` returns.

    ``last`` is the last event in it, None for an empty one. One process at a time writes to it.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it. What a kill left of a last line is cut off.

        Raises Conflict when another process writes to it, InvalidInput when it is no export; OSError.
        """
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            self._lock()
            self.last = self._read_last()
        except BaseException:
            os.close(self._descriptor)
            raise

    def check_origin(self, view: View) -> None:
        """Raise Conflict unless the trail holds the last event of the file: then it may go on."""
        if self.last is None:
            return
        version, position = self.last.event[:2]
        found = events_page(view, after=(version, position - 1), limit=1)
        if not found or parse_line(export_line(found[0]), "") != self.last:
            raise Conflict(
                f"the audit trail does not hold the last event of {self.path} ({version}/{position}): it is of another "
                "registry, or this one was tampered with or restored without it. Compare them with audit verify "
                "--against, and export to a new file"
            )

    def append(self, events: Iterable[AuditEvent]) -> int:
        """Write the events behind the others, and return how many; raises RegistryUnavailable when the disk is full."""
        lines = [export_line(event) for event in events]
        if not lines:
            return 0
        end = os.fstat(self._descriptor).st_size
        content = b"".join(lines)
        try:
            written = 0
            while written < len(content):
                written += os.write(self._descriptor, content[written:])
            os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, end)
            raise RegistryUnavailable(f"the export {self.path} cannot be written: {error.strerror}") from error
        self.last = parse_line(lines[-1], "")
        return len(lines)

    def __enter__(self) -> Self:
        """Return the file."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"another process exports to {self.path}") from None

    def _read_last(self) -> ExportedEvent | None:
        size = os.fstat(self._descriptor).st_size
        start = max(0, size - _TAIL)
        tail = os.pread(self._descriptor, _TAIL, start)
        whole = tail[: tail.rfind(b"\n") + 1]
        torn = tail[len(whole) :]
        if not _BEGINNING.startswith(torn[: len(_BEGINNING)]) or (start and not whole):
            raise InvalidInput(f"{self.path} is no export of the audit trail")
        last = None
        if whole:
            last = parse_line(whole.rstrip(b"\n").rpartition(b"\n")[2], f"{self.path}, its last line")
        if torn:
            os.ftruncate(self._descriptor, start + len(whole))
        return last
