"""Where log lines go: a bounded queue that one thread writes out, so that a stuck log never holds up a request."""

import sys
import threading
import time
from collections import deque
from typing import BinaryIO

_GATHER_SECONDS = 0.02
_MOST_LINES = 50_000


class LogSink:
    """A file-like object for log lines in bytes. Lines beyond what the queue holds are dropped and counted."""

    def __init__(self, stream: BinaryIO | None = None, most_lines: int = _MOST_LINES) -> None:
        """Write to ``stream``, standard error by default. The thread starts with :meth:`start`."""
        # Unbuffered: a thread that is stuck in a buffered stream holds its lock, and no process ends without that.
        self._stream = _unbuffered_standard_error() if stream is None else stream
        self._lines: deque[bytes] = deque()
        self._most_lines = most_lines
        self._something = threading.Event()
        self._dropped = 0
        self._is_ending = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def start(self) -> None:
        """Begin to write out."""
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Queue a line."""
        if len(self._lines) >= self._most_lines:
            self._dropped += 1
            return
        self._lines.append(line)
        if not self._something.is_set():
            self._something.set()

    def flush(self) -> None:
        """Do nothing: the thread flushes."""

    def close(self, timeout: float = 2.0) -> None:
        """Write out what is queued, for at most ``timeout`` seconds, and end the thread."""
        self._is_ending = True
        self._something.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._is_ending:
            self._something.wait()
            self._something.clear()
            time.sleep(_GATHER_SECONDS)
            self._write_out()
        self._write_out()

    def _write_out(self) -> None:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if self._dropped:
            lines.append(b'{"event":"log lines dropped","level":"error","count":%d}\n' % self._dropped)
            self._dropped = 0
        text = memoryview(b"".join(lines))
        try:
            while text:
                text = text[self._stream.write(text) :]
            self._stream.flush()
        except OSError:
            self._dropped += len(lines)


def _unbuffered_standard_error() -> BinaryIO:
    unbuffered: BinaryIO = getattr(sys.stderr.buffer, "raw", sys.stderr.buffer)
    return unbuffered
