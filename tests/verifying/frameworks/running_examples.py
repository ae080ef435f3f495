"""The examples of ``examples/frameworks``, each on a port of its own, under a server that people run it with."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import grpc

from tests.running_service import AUDIENCE, RunningService, free_port

ROOT = Path(__file__).parents[3]
_SERVED = "tests.verifying.frameworks.served"
_START_SECONDS = 70.0
_AT_ONCE = 2
_GRANIAN = (str(Path(sys.executable).with_name("granian")), "--no-log", "--host", "127.0.0.1", "--port", "{port}")
_ASGI = (*_GRANIAN, "--interface", "asgi", f"{_SERVED}:app")
_WSGI = (*_GRANIAN, "--interface", "wsgi", f"{_SERVED}:app")
_FLASK = (sys.executable, "-m", "flask", "--app", f"{_SERVED}:app", "run", "--port", "{port}")
_AIOHTTP = (sys.executable, "-m", "aiohttp.web", "--hostname", "127.0.0.1", "--port", "{port}", f"{_SERVED}:app")
_GRPC = (sys.executable, "-m", _SERVED)


@dataclass(frozen=True)
class Example:
    """How an example is run: the object to serve, the command, and what is particular to it."""

    target: str
    command: tuple[str, ...]
    closes_views_only: bool = False  # an unknown path gets the framework's own 404
    is_wsgi: bool = False  # repeated headers come joined by commas


EXAMPLES = {
    "asgi": Example("asgi_service:app", _ASGI),
    "fastapi": Example("fastapi_service:app", _ASGI, closes_views_only=True),
    "starlette": Example("starlette_service:app", _ASGI),
    "litestar": Example("litestar_service:app", _ASGI),
    "flask": Example("flask_service:app", _FLASK, is_wsgi=True),
    "django": Example("django_service:application", _WSGI, is_wsgi=True),
    "django-async": Example("django_service:asgi_application", _ASGI, is_wsgi=True),
    "djangorestframework": Example(
        "djangorestframework_service:application", _WSGI, closes_views_only=True, is_wsgi=True
    ),
    "wsgi": Example("wsgi_service:application", _WSGI, is_wsgi=True),
    "aiohttp": Example("aiohttp_service:make_app", _AIOHTTP),
    "grpc": Example("grpc_service", _GRPC),
    "grpc-aio": Example("grpc_aio_service", _GRPC),
}


HTTP = [name for name in EXAMPLES if not name.startswith("grpc")]
GRPC = [name for name in EXAMPLES if name.startswith("grpc")]


@contextmanager
def running_examples(service: RunningService, folder: Path) -> Iterator[dict[str, int]]:
    """Run all examples against the service; returns the port of each."""
    ports: dict[str, int] = {}
    with ExitStack() as stack:
        # A few at a time: all at once they would starve each other of processors, and of their keys.
        for names in _batched(EXAMPLES, _AT_ONCE):
            ports |= {name: free_port() for name in names}
            started = {name: _start(EXAMPLES[name], ports[name], service, folder / name) for name in names}
            for process in started.values():
                stack.callback(_end, process)
            for name, process in started.items():
                _wait_until_ready(process, ports[name], folder / name, is_grpc=name in GRPC)
        yield ports


def _batched(names: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield the names in lists of this size (:func:`itertools.batched`, which Python 3.11 has not)."""
    remaining = list(names)
    while remaining:
        yield remaining[:size]
        del remaining[:size]


def _end(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # with its workers, in a process group of their own
    process.wait()


def _start(example: Example, port: int, service: RunningService, log_file: Path) -> "subprocess.Popen[bytes]":
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "default",
        "SENSOS_AUTH_ISSUER": service.base_url,
        "SENSOS_AUTH_AUDIENCE": AUDIENCE,
        "TEST_EXAMPLE": f"examples.frameworks.{example.target}",
        "ADDRESS": f"127.0.0.1:{port}",
    }
    with log_file.open("wb") as log:
        return subprocess.Popen(
            [word.format(port=port) for word in example.command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log_file: Path, *, is_grpc: bool) -> None:
    give_up_at = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up_at:
        assert process.poll() is None, log_file.read_text()
        if is_grpc:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, suppress(grpc.FutureTimeoutError):
                grpc.channel_ready_future(channel).result(1.0)
                return
        else:
            with suppress(OSError), closing(HTTPConnection("127.0.0.1", port, timeout=_START_SECONDS)) as connection:
                connection.request("GET", "/v1/whoami")
                connection.getresponse()  # Granian's workers load the application after the port is open
                return
        time.sleep(0.05)
    raise AssertionError(f"not ready after {_START_SECONDS} s:\n{log_file.read_text()}")
