"""For how long the machine had more to do than processors to do it: whoever waits for one is late, and not to blame.

Linux tells it (pressure stall information, https://docs.kernel.org/accounting/psi.html); elsewhere nothing is known.
"""

import re
import threading
from pathlib import Path

from tests.nodes.history import History, Stall, now

_FILE = Path("/proc/pressure/cpu")
_TOTAL = re.compile(r"^some .*total=(\d+)", re.MULTILINE)
_LOOKS_EVERY = 0.2  # seconds


class StallWatch:
    """A thread that writes down how long somebody has waited for a processor so far."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stalls", daemon=True)

    def start(self) -> None:
        """Begin."""
        if _FILE.exists():
            self._thread.start()

    def end(self) -> None:
        """End."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _watch(self) -> None:
        while not self._is_over.wait(_LOOKS_EVERY):
            found = _TOTAL.search(_FILE.read_text())
            if found is None:
                return
            self._history.stalls.append(Stall(now(), int(found[1]) / 1_000_000))
