"""The service as its operators run it: processes on a free port, over a registry in a folder of its own.

Or over one on PostgreSQL, where several of them are the nodes of one deployment.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.applications import create_application
from sensos_auth.registry.location import database_url
from sensos_auth.registry.migrating import migrate
from sensos_auth.registry.opening import is_postgresql, open_database
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.tenants import create_tenant

COMMAND = str(Path(sys.executable).with_name("sensos-auth"))
TOKEN_PATH = "/v1/applications/token"
ENDPOINT_PATH = "/v1/endpoint"
JWKS_PATH = "/.well-known/jwks.json"
AUDIENCE = "sensos-api"
_START_SECONDS = 20.0
_END_SECONDS = 20.0


@dataclass(frozen=True)
class ExampleApplication:
    """An application and a secret of it."""

    tenant_id: str
    application_id: str
    secret_id: str
    secret: str

    def credentials(self, **changes: object) -> dict[str, object]:
        """Return the body of its token request, with some members changed or added; ``...`` leaves one out."""
        good = {"tenantId": self.tenant_id, "applicationId": self.application_id, "applicationSecret": self.secret}
        return {name: value for name, value in (good | changes).items() if value is not ...}


@dataclass
class RunningService:
    """A service that answers. ``process`` is the parent; ``log_file`` gets everything that it and its workers write.

    ``registry`` is a connection of the tests' own, for the thread that started the service. On PostgreSQL, changes with
    it that take something away return when no node goes by what was before, as everybody's do; others at once.
    """

    port: int
    workers: int
    data_folder: Path
    environment: dict[str, str]
    process: "subprocess.Popen[bytes]"
    log_file: Path
    registry: Registry
    client: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx2.Client(base_url=self.base_url, trust_env=False, timeout=10.0)

    @property
    def base_url(self) -> str:
        """Return where it answers; this is its issuer as well, unless the environment says otherwise."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def registry_file(self) -> Path:
        """Return where the registry is, on SQLite."""
        return self.data_folder / "registry.sqlite3"

    def worker_pids(self) -> list[int]:
        """Return the process IDs of the workers (Linux only)."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sorted(int(pid) for pid in children)

    def new_application(self, *, tenant_id: str = "", **options: Any) -> ExampleApplication:  # noqa: ANN401 - as create_application takes them
        """Make an application with a secret, of a tenant of its own unless one is named."""
        with self.registry.change("test") as change:
            tenant_id = tenant_id or create_tenant(change, name="Blue Motors").tenant_id
            application = create_application(change, tenant_id=tenant_id, name="Fleet sync", **options)
            secret, shown = create_secret(change, application_id=application.application_id)
        return ExampleApplication(tenant_id, application.application_id, secret.secret_id, shown)

    def ask(self, application: ExampleApplication, **changes: object) -> httpx2.Response:
        """Return the answer to its token request, with some members of the body changed or added."""
        return self.client.post(TOKEN_PATH, json=application.credentials(**changes))

    def token(self, application: ExampleApplication) -> str:
        """Return an access token of the application."""
        answer = self.ask(application)
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["accessToken"]
        return token

    def log_bytes(self) -> bytes:
        """Return all that has been logged."""
        return self.log_file.read_bytes()

    def log_lines(self) -> list[dict[str, Any]]:
        """Return all that has been logged, line by line."""
        return [json.loads(line) for line in self.log_bytes().splitlines()]

    def wait_for_line(self, is_wanted: Callable[[dict[str, Any]], bool], seconds: float = 5.0) -> dict[str, Any]:
        """Return the first such log line: workers write theirs with a little delay."""
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            for line in self.log_lines():
                if is_wanted(line):
                    return line
            time.sleep(0.02)
        raise AssertionError(f"no such log line within {seconds} s")

    def wait_until_ready(self, seconds: float = _START_SECONDS) -> None:
        """Return as soon as a token could be had, and every worker listens."""
        give_up_at = time.monotonic() + seconds
        while time.monotonic() < give_up_at:
            assert self.process.poll() is None, f"the service has ended:\n{self.log_file.read_text()}"
            try:
                if self.client.get("/readyz", timeout=2.0).status_code == 200 and self._all_workers_listen():
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.03)
        raise AssertionError(f"the service is not ready after {seconds} s:\n{self.log_file.read_text()}")

    def _all_workers_listen(self) -> bool:
        # Each has a socket of its own on the port. Only Linux says how many there are.
        table = Path("/proc/net/tcp")
        if not table.exists():
            return True
        columns = [line.split() for line in table.read_text().splitlines()[1:]]
        listening = [column for column in columns if column[3] == "0A" and column[1].endswith(f":{self.port:04X}")]
        return len(listening) >= self.workers

    def end(self, *, at_once: bool = False) -> int:
        """End it with SIGTERM, by force if need be, and return its exit status (negative: the signal).

        ``at_once`` kills it instead, which spares the second and a half that its drain takes.
        """
        self.client.close()
        self.registry.close()
        if self.process.poll() is None:
            if at_once:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL
        finally:
            # Whatever is left of its process group, which nobody else is in.
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start_service(
    data_folder: Path,
    *,
    workers: int = 1,
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
    under: Sequence[str] = (),
) -> RunningService:
    """Start ``sensos-auth serve`` over the folder, and return once it is ready. End it with :meth:`RunningService.end`.

    ``environment`` adds to and replaces what is set here: with SENSOS_AUTH_DATABASE_URL the registry is on PostgreSQL,
    in a database that may be empty. A port is chosen unless one is given. ``under`` is a command that runs it in its
    place, such as ``prlimit``.
    """
    service = _launch(data_folder, workers, environment or {}, port or free_port(), under)
    try:
        service.wait_until_ready()
    except BaseException:
        service.end()
        raise
    return service


def _launch(
    data_folder: Path, workers: int, environment: Mapping[str, str], port: int, under: Sequence[str] = ()
) -> RunningService:
    data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SENSOS_")}
    settings = {"SENSOS_AUTH_DATA_DIR": str(data_folder), "SENSOS_AUTH_ISSUER": f"http://127.0.0.1:{port}"}
    everything = ours | settings | dict(environment)
    url = database_url(everything)
    if is_postgresql(url):
        upgrade(url)
    log_file = data_folder / "service.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [*under, COMMAND, "serve", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers)],
            env=everything,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return RunningService(port, workers, data_folder, everything, process, log_file, open_registry(url))


def upgrade(url: str) -> None:
    """Make the schema in the database, or bring it up to date, as ``sensos-auth db upgrade`` does."""
    with closing(open_database(url)) as database:
        migrate(database, int(time.time()))


@contextmanager
def running_service(
    data_folder: Path, *, workers: int = 1, environment: Mapping[str, str] | None = None, at_once: bool = False
) -> Iterator[RunningService]:
    """Run a service for as long as the block lasts; ``at_once`` is how it ends."""
    service = start_service(data_folder, workers=workers, environment=environment)
    try:
        yield service
    finally:
        service.end(at_once=at_once)


@contextmanager
def running_nodes(
    folder: Path, url: str, count: int, *, environment: Mapping[str, str] | None = None
) -> Iterator[list[RunningService]]:
    """Run nodes of one deployment on the PostgreSQL database at ``url`` for as long as the block lasts.

    They share issuer and master key, and start at once. Each has a port, a folder and one worker of its own.
    """
    ports = [free_port() for _ in range(count)]
    settings = {
        "SENSOS_AUTH_DATABASE_URL": url,
        "SENSOS_AUTH_ISSUER": f"http://127.0.0.1:{ports[0]}",
        "SENSOS_AUTH_MASTER_KEY": secrets.token_hex(32),
    }
    with ExitStack() as ending:
        nodes = []
        for number, port in enumerate(ports):
            node = _launch(folder / f"node{number}", 1, settings | dict(environment or {}), port)
            ending.callback(node.end, at_once=True)
            nodes.append(node)
        for node in nodes:
            node.wait_until_ready()
        yield nodes


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
