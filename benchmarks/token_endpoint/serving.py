"""Starting a server on a free port of the loopback interface, and ending it."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.token_endpoint.places import LOGS

_START_SECONDS = 60
_STOP_SECONDS = 20


@dataclass(frozen=True)
class Running:
    """A server that listens. Its log goes to a file, as a service manager would keep it."""

    port: int
    process: int
    log: Path


@contextmanager
def running(
    name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, port: int | None = None
) -> Iterator[Running]:
    """Run the command, with ``{port}`` filled in; raises SystemExit when nothing listens there after a minute."""
    port = port or _free_port()
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    log.unlink(missing_ok=True)
    with log.open("ab") as written:
        process = subprocess.Popen(
            [part.format(port=port) for part in command],
            cwd=folder,
            env=server_environment(environment),
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,
        )
    try:
        _wait_until_it_listens(process, port, log)
        yield Running(port, process.pid, log)
    finally:
        _stop(process)


def wait_until_ready(port: int, path: str) -> None:
    """Return once there is a 200 at the path; raises SystemExit after a minute."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with suppress(OSError, http.client.HTTPException), closing(connection):
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.05)
    raise SystemExit(f"A server on port {port} did not become ready.")


def server_environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server: of the caller's settings, only what every program needs."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | dict(own)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"A server did not come up; the end of its log, {log}:\n{log.read_text()[-2000:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
