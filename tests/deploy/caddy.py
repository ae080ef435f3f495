"""Caddy with the Compose folder's very Caddyfile, on ports of a test's, before nodes of a test's."""

import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.gateways.programs import UNPACKED
from tests.running_service import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
CADDYFILE = DEPLOY / "compose" / "Caddyfile"
_START_SECONDS = 20.0


@dataclass(frozen=True)
class Caddy:
    """Caddy, as it listens: ``root`` is the certificate that its own certificates are to be checked with."""

    https_port: int
    http_port: int
    root: Path
    log_file: Path

    @property
    def base_url(self) -> str:
        """Return where everybody reaches the nodes."""
        return f"https://localhost:{self.https_port}"

    def client(self) -> httpx2.Client:
        """Return a client that trusts its certificates, and no other."""
        trust = ssl.create_default_context(cafile=str(self.root))
        return httpx2.Client(base_url=self.base_url, verify=trust, trust_env=False, timeout=15.0)


def caddy_program() -> str | None:
    """Return Caddy as `make gateways` unpacked it, or as it is installed; None where there is none."""
    return shutil.which("caddy", path=os.pathsep.join([str(UNPACKED / "usr/bin"), "/usr/bin", "/usr/local/bin"]))


@contextmanager
def running_caddy(folder: Path, nodes: Sequence[int], *, https_port: int) -> Iterator[Caddy]:
    """Run Caddy before the nodes on these ports, for as long as the block lasts."""
    program = caddy_program()
    assert program is not None
    folder.mkdir(parents=True)
    http_port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "HTTP_PORT": str(http_port),
        "HTTPS_PORT": str(https_port),
        "CADDY_ADMIN": "off",
        "AUTH_NODES": " ".join(f"127.0.0.1:{port}" for port in nodes),
    }
    log_file = folder / "caddy.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [program, "run", "--adapter", "caddyfile", "--config", str(CADDYFILE)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    caddy = Caddy(https_port, http_port, folder / "caddy/pki/authorities/local/root.crt", log_file)
    try:
        _wait_until_it_serves(process, caddy)
        yield caddy
    finally:
        process.kill()
        process.wait()


def _wait_until_it_serves(process: "subprocess.Popen[bytes]", caddy: Caddy) -> None:
    give_up_at = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up_at:
        assert process.poll() is None, f"Caddy has ended:\n{caddy.log_file.read_text()}"
        if caddy.root.exists():
            try:
                with caddy.client() as client:
                    if client.get("/readyz").status_code == 200:
                        return
            except (httpx2.TransportError, ssl.SSLError):
                pass
        time.sleep(0.05)
    raise AssertionError(f"nothing is served after {_START_SECONDS} s:\n{caddy.log_file.read_text()}")
