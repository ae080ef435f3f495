"""A real Redis or Valkey server on a loopback port, of a folder of its own, which can be killed and started again.

`make gateways` unpacks one in build/; one that is installed on the machine serves as well.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.running_service import free_port

_UNPACKED = Path(__file__).parents[1] / "build" / "gateways" / "root"
_START_SECONDS = 10.0


def _executable() -> str | None:
    places = [str(_UNPACKED / "usr/bin"), os.environ["PATH"], "/usr/local/sbin", "/usr/sbin"]
    return shutil.which("redis-server", path=os.pathsep.join(places)) or shutil.which("valkey-server")


needs_redis = pytest.mark.skipif(
    _executable() is None, reason="redis-server is not here: `make gateways` gets it where apt-get does"
)


class RedisServer:
    """A server, started by :meth:`start`, that keeps nothing when it ends. ``options`` are of its configuration."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return where it is."""
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return once it listens."""
        executable = _executable()
        assert executable is not None
        libraries = os.pathsep.join(map(str, (_UNPACKED / "usr/lib").glob("*-linux-gnu*")))
        ports = ["--port", "0", "--tls-port"] if "--tls-cert-file" in self._options else ["--port"]
        settings = [*ports, str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [executable, *settings, *self._options],
                cwd=self._folder,
                env={"PATH": os.environ["PATH"]} | ({"LD_LIBRARY_PATH": libraries} if libraries else {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        give_up_at = time.monotonic() + _START_SECONDS
        while time.monotonic() < give_up_at:
            assert self._process.poll() is None, (self._folder / "redis.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
            except ConnectionRefusedError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"the server does not listen after {_START_SECONDS} s")

    def kill(self) -> None:
        """End it at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def ask(self, password: str | None = None) -> redis.Redis:
        """Return a client of it."""
        return redis.Redis(port=self.port, password=password, decode_responses=True, socket_timeout=5.0, protocol=2)

    def tell(self, *words: str) -> None:
        """Have it carry out a command."""
        self.ask().execute_command(*words)  # type: ignore[no-untyped-call]


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run a server for as long as the block lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(folder, *options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
