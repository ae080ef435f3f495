"""The processes that ask the nodes for tokens, and what they report."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Report:
    """When a node's last token was asked for and came, by the clock that all processes share; and its answers."""

    began: float
    came: float
    answers: dict[str, int]


class Watcher:
    """A process that asks the node on one port."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.nodes.watching", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def begin(self, body: str) -> None:
        """Have it ask with this body."""
        self._order(watch=body)

    def wait_for_token(self) -> None:
        """Return once there was one."""
        self._heard()

    def stop(self) -> None:
        """Have it ask no more."""
        self._order(stop="")

    def report(self) -> Report:
        """Return what came, once it has stopped."""
        return Report(**self._heard())

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _order(self, **members: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(members) + "\n")
        self._process.stdin.flush()

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("A process that asks a node for tokens has ended: see above.")
        heard: dict[str, Any] = json.loads(line)
        return heard


class Watchers:
    """One for each node."""

    def __init__(self, watchers: list[Watcher]) -> None:
        self._watchers = watchers

    @contextmanager
    def watching(self, body: str) -> Iterator[list[Report]]:
        """Ask all nodes with the body, from before the block to its end; the list is filled then."""
        for watcher in self._watchers:
            watcher.begin(body)
        for watcher in self._watchers:
            watcher.wait_for_token()
        reports: list[Report] = []
        yield reports
        for watcher in self._watchers:
            watcher.stop()
        reports += [watcher.report() for watcher in self._watchers]


@contextmanager
def watchers(ports: list[int]) -> Iterator[Watchers]:
    """Run one for each port until the end of the block."""
    running = [Watcher(port) for port in ports]
    try:
        yield Watchers(running)
    finally:
        for watcher in running:
            watcher.end()
