"""What verifiers say of themselves with their polls, on its way to the registry: a thread that writes it in batches.

It is not the feed's thread: whoever waits for a revocation must not wait for these writes, which queue behind others.
"""

import threading
from collections.abc import Callable
from dataclasses import replace

from sensos_auth.registry import Registry
from sensos_auth.registry.verifiers import VerifierReport, record_verifiers
from sensos_auth.server.outage import Outage

# Seconds between two writes, and after one that failed.
_WRITES_EVERY = 0.1
_AFTER_FAILURE = 2.0
# Reports that wait to be written: beyond it, further verifiers are not written down until there is room.
_MOST_REPORTS = 10_000


class VerifierReports:
    """Takes reports from the event loop. ``open_registry`` is called in the thread, for a connection of its own."""

    def __init__(self, open_registry: Callable[[], Registry]) -> None:
        self._open_registry = open_registry
        self._lock = threading.Lock()
        self._reports: dict[tuple[str, str], VerifierReport] = {}
        self._is_there_work = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="verifier reports", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, timeout: float = 3.0) -> None:
        """Write what is there and end, waiting at most ``timeout`` seconds."""
        self._ended.set()
        self._is_there_work.set()
        self._thread.join(timeout)

    def write(self, report: VerifierReport) -> None:
        """Take the report of a poll; of two from one verifier, that of the later poll counts."""
        with self._lock:
            key = (report.application_id, report.name)
            there = self._reports.get(key)
            if there is None and len(self._reports) >= _MOST_REPORTS:
                return
            if there is None or there.seen_at <= report.seen_at:
                self._reports[key] = report
        self._is_there_work.set()

    def went_away(self, report: VerifierReport, live_until: int) -> None:
        """Take it that the verifier hung up on this poll: it is counted on until ``live_until`` (UTC milliseconds)."""
        self.write(replace(report, live_until=live_until))

    def _run(self) -> None:
        registry = None
        outage = Outage("reports of verifiers could not be written down", "reports of verifiers written down again")
        while not (self._ended.is_set() and not self._reports):
            self._is_there_work.wait()
            self._is_there_work.clear()
            try:
                registry = registry or self._open_registry()
                self._write_all(registry)
            except Exception as error:  # noqa: BLE001 - the thread must live on; the reports come again by themselves
                outage.tell(error)
                if self._ended.wait(_AFTER_FAILURE):
                    break
            else:
                outage.is_over()
                self._ended.wait(_WRITES_EVERY)
        if registry is not None:
            registry.close()

    def _write_all(self, registry: Registry) -> None:
        with self._lock:
            reports, self._reports = self._reports, {}
        if reports:
            with registry.observation() as view:
                record_verifiers(view, reports.values())
