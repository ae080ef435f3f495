"""A node of the service: ``sensos-auth serve`` with one worker, on PostgreSQL behind a proxy of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx2

from tests.nodes.processes import children_of
from tests.nodes.switchable_proxy import SwitchableProxy
from tests.running_service import COMMAND, free_port

# Seconds after which a supervisor starts a node anew that has ended by itself.
_RESTARTS_AFTER = 0.5
# Seconds within which a second worker that ends at once is a crash loop to its parent, which then ends the node.
_CRASH_LOOP = 6.0
# What is no error here: we killed the worker; and a node that starts while the database is away says so, and ends.
_NO_ERRORS = ("Unexpected exit from worker", "Error: the PostgreSQL registry cannot be reached")


class Node:
    """The processes of one node. A supervisor starts them anew whenever they have ended, as systemd does.

    ``databases`` are its ways to PostgreSQL: one that follows the primary, or one to each server.
    """

    def __init__(
        self, name: str, folder: Path, environment: Mapping[str, str], databases: Sequence[SwitchableProxy]
    ) -> None:
        self.name = name
        self.port = free_port()
        self.databases = databases
        self.times_started = 0
        self._worker_killed_at = -_CRASH_LOOP
        self.log_file = folder / f"{name.replace(' ', '-')}.log"
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._is_over = threading.Event()
        self._client = httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=2.0)
        self._supervisor = threading.Thread(target=self._supervise, name=f"supervisor of {name}", daemon=True)

    def start(self) -> None:
        """Start it, without waiting until it is ready."""
        self._supervisor.start()

    def _supervise(self) -> None:
        while not self._is_over.is_set():
            with self.log_file.open("ab") as log:
                self._process = subprocess.Popen(
                    [COMMAND, "serve", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self.times_started += 1
            self._process.wait()
            self._kill_group()  # a worker may have outlived its parent
            self._is_over.wait(_RESTARTS_AFTER)

    def is_ready(self) -> bool:
        """Tell whether it says that it can issue."""
        try:
            return self._client.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False

    def pause(self) -> None:
        """Stop its worker where it stands."""
        self._signal_workers(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal_workers(signal.SIGCONT)

    def kill_worker(self) -> None:
        """Kill the worker; its parent makes another one. Soon after the last time, kill all of it."""
        now = time.monotonic()
        if now - self._worker_killed_at < _CRASH_LOOP:
            self.kill()
        else:
            self._worker_killed_at = now
            self._signal_workers(signal.SIGKILL)

    def kill(self) -> None:
        """Kill all of it; the supervisor starts it anew."""
        self._kill_group()

    def terminate(self) -> None:
        """End it in order; the supervisor starts it anew."""
        if self._process is not None:
            self._process.terminate()

    def end(self) -> None:
        """Kill it for good."""
        self._is_over.set()
        while self._supervisor.is_alive():
            self._kill_group()
            self._supervisor.join(0.2)
        self._client.close()

    def errors(self) -> list[str]:
        """Return what it has logged as an error, and lines that are no log lines, such as a traceback."""
        found = []
        for line in self.log_file.read_text(errors="replace").splitlines():
            try:
                level = json.loads(line).get("level", "")
            except ValueError:
                level = "error"
            if level in {"error", "critical"} and not any(text in line for text in _NO_ERRORS):
                found.append(line)
        return found

    def _kill_group(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _signal_workers(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        for worker in children_of(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(worker, number)


def node_environment(
    *, database_url: str, issuer: str, folder: Path, master_key_file: Path, source: Path
) -> dict[str, str]:
    """Return the environment of a node, or of a command beside it, which run the product in ``source``."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SENSOS_")}
    return ours | {
        "SENSOS_AUTH_DATABASE_URL": database_url,
        "SENSOS_AUTH_DATA_DIR": str(folder),
        "SENSOS_AUTH_ISSUER": issuer,
        "SENSOS_AUTH_MASTER_KEY_FILE": str(master_key_file),
        "PYTHONPATH": str(source),
        "PYTHONWARNINGS": "ignore",
        "PATH": f"{Path(sys.executable).parent}:{ours.get('PATH', '')}",
    }
