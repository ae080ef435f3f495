"""How far a long command is, for who watches it in a terminal."""

import sys
import time

_EVERY = 0.2  # seconds


class Progress:
    """Tells on stderr how many of ``total`` are done, if that is a terminal. Called with the number."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._is_shown = sys.stderr.isatty()
        self._next_at = time.monotonic() + _EVERY

    def __call__(self, done: int) -> None:
        """Say that so many are done."""
        if self._is_shown and time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + _EVERY
            sys.stderr.write(f"\r{done} of {self._total} {self._what} ({100 * done // max(self._total, 1)} %)")
            sys.stderr.flush()

    def of(self, done: int, total: int) -> None:
        """Say that so many are done, of so many."""
        self._total = total
        self(done)

    def end(self) -> None:
        """Take the line away."""
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
