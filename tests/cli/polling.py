"""Verifiers as the service writes them down, without a service."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from sensos_auth.registry.revocations import revocations_version
from sensos_auth.registry.verifiers import VerifierReport, record_verifiers
from tests.cli.command_line import CommandLine


class Poller:
    """Verifiers as the service writes them down: each holds, from its next report, what the registry has by then."""

    def __init__(self, command_line: CommandLine) -> None:
        self._command_line = command_line

    def report(
        self,
        *names: str,
        version: int | None = None,
        live_for: int = 40_000,
        application_id: str = "app_a",
        kids: tuple[str, ...] = ("k1", "k2"),
    ) -> None:
        """Have the verifiers report that they hold the version, or all revocations there are."""
        registry = self._command_line.open_registry()
        now = time.time_ns() // 1_000_000
        with registry.view() as view:
            held = revocations_version(view) if version is None else version
        report = VerifierReport(application_id, "", "ten_a", held, kids, now, now + live_for)
        with registry.observation() as view:
            record_verifiers(view, [replace(report, name=name) for name in names])
        registry.close()

    @contextmanager
    def polling(self, *names: str) -> Iterator[None]:
        """Have the verifiers report every 20 ms while the block runs."""
        self.report(*names)
        ended = threading.Event()

        def go_on() -> None:
            while not ended.wait(0.02):
                self.report(*names)

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
