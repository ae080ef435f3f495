"""The Compose folder's Caddyfile: real Caddy, TLS, and two real nodes on PostgreSQL that end, die and come back."""

import os
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

import httpcore2
import httpx2
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sensos_auth.registry.revocations import revoke_token
from sensos_auth.verifying import InvalidToken, Verifier
from sensos_auth.verifying.connected import ConnectedVerifier
from tests.deploy.caddy import Caddy, caddy_program, running_caddy
from tests.postgresql_server import new_database_url, reached_over_tcp
from tests.running_service import (
    AUDIENCE,
    JWKS_PATH,
    TOKEN_PATH,
    ExampleApplication,
    RunningService,
    free_port,
    start_service,
)
from tests.tcp_proxy import TcpProxy

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(caddy_program() is None, reason="Caddy is not here: `make gateways` gets it where apt-get does"),
]
_CLIENTS = 6


@dataclass
class Deployment:
    """Two nodes on one database, which the second reaches by a ``way``. They are started anew on the port they had."""

    folder: Path
    issuer: str
    database: str
    way: TcpProxy
    by_way: str
    ports: list[int] = field(default_factory=lambda: [free_port(), free_port()])
    nodes: list[RunningService] = field(default_factory=list)

    def start(self, number: int) -> None:
        """Start a node."""
        settings = {
            "SENSOS_AUTH_ISSUER": self.issuer,
            "SENSOS_AUTH_DATABASE_URL": self.by_way if number else self.database,
            "SENSOS_AUTH_MASTER_KEY_FILE": str(self.folder / "master.key"),
            "SENSOS_AUTH_TRUSTED_PROXIES": "127.0.0.0/8",
        }
        node = start_service(self.folder / f"node-{number}", port=self.ports[number], environment=settings)
        self.nodes[number : number + 1] = [node]

    @contextmanager
    def without_database(self) -> Iterator[None]:
        """Let nobody reach the database for as long as the block lasts."""
        name = conninfo_to_dict(self.database)["dbname"]
        with psycopg.connect(make_conninfo(self.database, dbname="postgres"), autocommit=True) as superuser:
            superuser.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
            superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            try:
                yield
            finally:
                superuser.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, Caddy]]:
    """Return what runs."""
    folder = tmp_path_factory.mktemp("deployment")
    https_port = free_port()
    database = new_database_url()
    with reached_over_tcp(database) as (way, by_way):
        made = Deployment(folder, f"https://localhost:{https_port}", database, way, by_way)
        try:
            made.start(0)
            made.start(1)
            with running_caddy(folder / "caddy", made.ports, https_port=https_port) as caddy:
                yield made, caddy
        finally:
            for node in made.nodes:
                node.end(at_once=True)


@pytest.fixture
def nodes(deployment: tuple[Deployment, Caddy]) -> Deployment:
    """Return the nodes, both running."""
    return deployment[0]


@pytest.fixture
def caddy(deployment: tuple[Deployment, Caddy]) -> Caddy:
    """Return Caddy, before both nodes."""
    return deployment[1]


@pytest.fixture(scope="module")
def application(deployment: tuple[Deployment, Caddy]) -> ExampleApplication:
    """Return an application."""
    return deployment[0].nodes[0].new_application()


class Answer(NamedTuple):
    """An answer, or none (0), and when its request began."""

    kind: str
    status: int
    began: float


class Traffic:
    """Clients that get tokens and show them, all the time."""

    def __init__(self, caddy: Caddy, application: ExampleApplication) -> None:
        self.answers: list[Answer] = []
        self._caddy = caddy
        self._application = application
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(_CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join(20)

    def _ask(self) -> None:
        with self._caddy.client() as client:
            token = client.post(TOKEN_PATH, json=self._application.credentials()).json()["accessToken"]
            shown = {"Authorization": f"Bearer {token}"}
            while not self._is_over.is_set():
                self._note("token", lambda: client.post(TOKEN_PATH, json=self._application.credentials()))
                self._note("verify", lambda: client.get("/v1/verify", headers=shown))

    def _note(self, kind: str, ask: Callable[[], httpx2.Response]) -> None:
        began = time.monotonic()
        try:
            status = ask().status_code
        except httpx2.TransportError:
            status = 0
        self.answers.append(Answer(kind, status, began))

    def failures(self) -> list[Answer]:
        """Return all that is not a 200."""
        return [answer for answer in self.answers if answer.status != 200]


def requests_to(node: RunningService) -> int:
    """Return how many token requests a node has logged."""
    return sum(line.get("path") == TOKEN_PATH for line in node.log_lines())


def is_served_by_both(nodes: Deployment, caddy: Caddy, application: ExampleApplication) -> None:
    """Wait until each node answers some of the requests."""
    before = [requests_to(node) for node in nodes.nodes]
    give_up_at = time.monotonic() + 10
    with caddy.client() as client:
        while time.monotonic() < give_up_at:
            for _ in range(8):
                client.post(TOKEN_PATH, json=application.credentials()).raise_for_status()
            time.sleep(0.3)
            if all(requests_to(node) > earlier for node, earlier in zip(nodes.nodes, before, strict=True)):
                return
    raise AssertionError("one of the nodes gets no request")


@pytest.mark.waits
def test_tls_and_both_nodes(nodes: Deployment, caddy: Caddy, application: ExampleApplication) -> None:
    """Clients check the certificate and get tokens of the https issuer, from both nodes; http leads to https."""
    with caddy.client() as client:
        answer = client.post(TOKEN_PATH, json=application.credentials())
        assert answer.status_code == 200
        shown = {"Authorization": f"Bearer {answer.json()['accessToken']}"}
        assert client.get("/v1/verify", headers=shown).headers["X-Sensos-Tenant-Id"] == application.tenant_id
    redirected = httpx2.get(f"http://localhost:{caddy.http_port}{JWKS_PATH}", trust_env=False)
    assert redirected.status_code == 308
    assert redirected.headers["Location"].startswith("https://localhost")
    is_served_by_both(nodes, caddy, application)


@pytest.mark.waits
def test_client_cannot_choose_its_address(caddy: Caddy, application: ExampleApplication) -> None:
    """Caddy says who asks, whatever the client says: nobody gets another address its limit of refusals used up."""
    wrong = application.credentials(applicationSecret="sensos_sk_wrong")
    forged = {"X-Forwarded-For": "203.0.113.1"}
    with caddy.client() as client:
        answers = {client.post(TOKEN_PATH, json=wrong, headers=forged).status_code for _ in range(250)}
    assert answers == {401}  # and no 429: our own address, a loopback one, has no limit


@pytest.mark.waits
@pytest.mark.timeout(90)
def test_node_that_ends_is_left_in_time(nodes: Deployment, caddy: Caddy, application: ExampleApplication) -> None:
    """SIGTERM, as at each upgrade: no request fails, and once it is back it gets its share again."""
    with Traffic(caddy, application) as traffic:
        time.sleep(1)
        assert nodes.nodes[1].end() == 0
        time.sleep(1)
        nodes.start(1)
        time.sleep(2)
    assert traffic.failures() == []
    assert len(traffic.answers) > 200
    is_served_by_both(nodes, caddy, application)


@pytest.mark.waits
@pytest.mark.timeout(90)
def test_node_that_dies_takes_nothing_with_it(nodes: Deployment, caddy: Caddy, application: ExampleApplication) -> None:
    """SIGKILL: only token requests that it had taken fail, which clients repeat; nothing that began afterwards."""
    with Traffic(caddy, application) as traffic:
        time.sleep(1)
        killed_at = time.monotonic()
        os.killpg(nodes.nodes[1].process.pid, signal.SIGKILL)
        time.sleep(3)
    failures = traffic.failures()
    assert len(failures) <= _CLIENTS
    assert {(failure.kind, failure.status) for failure in failures} <= {("token", 502)}
    assert all(failure.began < killed_at + 0.1 for failure in failures)
    nodes.nodes[1].end(at_once=True)
    nodes.start(1)
    is_served_by_both(nodes, caddy, application)


@pytest.mark.waits
def test_all_but_tokens_goes_on_without_the_database(
    nodes: Deployment, caddy: Caddy, application: ExampleApplication
) -> None:
    """Not one node is ready then: keys and /v1/verify are served all the while, and tokens get the nodes' own 503."""
    with caddy.client() as client:

        def ask() -> httpx2.Response:
            return client.post(TOKEN_PATH, json=application.credentials())

        shown = {"Authorization": f"Bearer {ask().json()['accessToken']}"}
        with nodes.without_database():
            over_at = time.monotonic() + 6
            time.sleep(0.6)
            while time.monotonic() < over_at:
                assert client.get(JWKS_PATH).json()["keys"]
                assert client.get("/v1/verify", headers=shown).status_code == 200
                began = time.monotonic()
                refused = ask()
                assert (refused.status_code, refused.json()["error"]) == (503, "Service Unavailable")
                assert int(refused.headers["Retry-After"]) >= 1
                assert time.monotonic() - began < 2
        give_up_at = time.monotonic() + 10
        while ask().status_code != 200:
            assert time.monotonic() < give_up_at, "no token after the database came back"
            time.sleep(0.1)
    is_served_by_both(nodes, caddy, application)


_VERIFIERS = 8
_ROUNDS = 4


def _accepts(verifier: ConnectedVerifier, token: str) -> bool:
    try:
        verifier.verify(token)
    except InvalidToken:
        return False
    return True


def _seconds_until_all_refuse(verifiers: list[ConnectedVerifier], token: str) -> float:
    began = time.monotonic()
    while any(_accepts(verifier, token) for verifier in verifiers):
        assert time.monotonic() < began + 10
        time.sleep(0.005)
    return time.monotonic() - began


def _revoke(nodes: Deployment, token_id: str) -> None:
    """Revoke a token, and return when any call that does would have returned."""
    with nodes.nodes[0].registry.change("test") as change:
        revoke_token(change, token_id)


@pytest.mark.timeout(120)
def test_verifiers_refuse_within_a_second_though_a_node_is_cut_off_in_silence(
    nodes: Deployment, caddy: Caddy, application: ExampleApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of them wait at a node that hears nothing any more: their next poll goes to the other one."""
    trust = ssl.create_default_context(cafile=str(caddy.root))
    monkeypatch.setattr(httpcore2, "default_ssl_context", lambda **_: trust)  # what this machine trusts
    took = []
    with ExitStack() as stack, caddy.client() as client:
        verifiers = [
            stack.enter_context(closing(Verifier.connect(nodes.issuer, audience=AUDIENCE))) for _ in range(_VERIFIERS)
        ]
        for verifier in verifiers:
            verifier.wait_until_ready()
        for number in range(_ROUNDS):
            _revoke(nodes, f"nobody-{number}")  # all poll anew, and are shared out
            time.sleep(1)
            token = client.post(TOKEN_PATH, json=application.credentials()).json()["accessToken"]
            token_id = verifiers[0].verify(token).token_id
            assert all(_accepts(verifier, token) for verifier in verifiers)
            nodes.way.swallows = True
            try:
                time.sleep(0.1 * (number % 4))
                _revoke(nodes, token_id)
                took.append(_seconds_until_all_refuse(verifiers, token))
            finally:
                nodes.way.swallows = False
                nodes.way.cut()
            is_served_by_both(nodes, caddy, application)
    assert max(took) < 1.0, took
