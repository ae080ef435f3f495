"""What is measured: the product with few and many applications, the bare server, and the peers; how each is started."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.token_endpoint.places import BUILD, NODE, PEERS, PRODUCT, SERVED
from benchmarks.token_endpoint.population import Population, populate
from benchmarks.token_endpoint.serving import Running, server_environment
from sensos_auth.registry.location import FILE_NAME

_BARE_ANSWER = BUILD / "bare_answer.json"
_PEER_CLIENTS = 10
_SERVE = ("serve", "--host", "127.0.0.1", "--port", "{port}")


@dataclass(frozen=True)
class Contestant:
    """A server, and what it is asked. ``jwks_path`` is where its public keys are; empty: it signs nothing."""

    name: str
    title: str
    command: list[str]
    environment: Mapping[str, str]
    path: str
    content_type: str
    requests: Path
    request_length: int
    jwks_path: str
    member: str = "access_token"  # of the answer: where the token is
    folder: Path = SERVED
    database: Path | None = None  # what it reads, where that is large
    postmaster: int | None = None  # the process of the PostgreSQL server that it works on
    ready_path: str = ""  # what is answered with 200 once it can do what it is asked, where it listens before
    most_refused: float = 0.0  # share of its answers that may be refusals
    in_turn: bool = False  # whether credentials are sent in the order of the file, in place of at random
    held_first: bool = False  # whether all of them are sent once before anything is measured

    def bring_database_near(self) -> None:
        """Read the database once: a machine that serves from it has it in the memory of its operating system."""
        if self.database is not None:
            with self.database.open("rb") as file:
                while file.read(1 << 20):
                    pass

    def first_request(self) -> bytes:
        """Return the body of one valid request."""
        with self.requests.open("rb") as file:
            return file.read(self.request_length)


def product(
    name: str, applications: int, workers: int = 1, settings: Mapping[str, str] | None = None, note: str = ""
) -> Contestant:
    """Return the product, through its own command line, over a registry with this many applications."""
    population = populate(applications)
    return Contestant(
        name=name,
        title=f"Sensos Auth, {applications:,} applications"
        + (f", {workers} workers" if workers > 1 else "")
        + (f", {note}" if note else ""),
        command=[str(PRODUCT / "sensos-auth"), *_SERVE, "--workers", str(workers)],
        environment={"SENSOS_AUTH_DATA_DIR": str(population.folder), **(settings or {})},
        path="/v1/applications/token",
        content_type="application/json",
        requests=population.requests,
        request_length=population.request_length,
        jwks_path="/.well-known/jwks.json",
        member="accessToken",
        database=population.folder / FILE_NAME,
    )


def product_on_postgresql(
    name: str, population: Population, url: str, postmaster: int, settings: Mapping[str, str] | None = None
) -> Contestant:
    """Return the product as one node on the PostgreSQL database at ``url``."""
    return Contestant(
        name=name,
        title=f"Sensos Auth on PostgreSQL, {population.applications:,} applications",
        command=[str(PRODUCT / "sensos-auth"), *_SERVE, "--workers", "1"],
        environment={
            "SENSOS_AUTH_DATA_DIR": str(population.folder),
            "SENSOS_AUTH_DATABASE_URL": url,
            # All nodes have one issuer.
            "SENSOS_AUTH_ISSUER": "https://auth.example.com",
            **(settings or {}),
        },
        path="/v1/applications/token",
        content_type="application/json",
        requests=population.requests,
        request_length=population.request_length,
        jwks_path="/.well-known/jwks.json",
        member="accessToken",
        postmaster=postmaster,
        ready_path="/readyz",
        # On a machine that others use, the database may take longer for an answer than a node waits for it.
        most_refused=0.001,
    )


def bare(like: Contestant) -> Contestant:
    """Return the product's HTTP server with an application that does no work: the same requests, the same answer."""
    return Contestant(
        name="bare",
        title="(a) bare server, same bytes, no work",
        command=[sys.executable, str(SERVED / "bare.py"), "{port}"],
        environment={"BARE_ANSWER": str(_BARE_ANSWER)},
        path=like.path,
        content_type=like.content_type,
        requests=like.requests,
        request_length=like.request_length,
        jwks_path="",
    )


def keep_for_bare(headers: list[tuple[str, str]], body: str) -> None:
    """Write down the product's answer for the bare server to repeat; Granian adds ``Date`` and ``Server`` itself."""
    own = [(name.lower(), value) for name, value in headers if name.lower() not in {"date", "server"}]
    _BARE_ANSWER.write_text(json.dumps({"headers": own, "body": body}))


def node_oidc_provider() -> Contestant:
    """Return the node peer, with its clients in memory."""
    clients = _peer_clients()
    return _peer(
        "oidc-provider",
        "(c) node oidc-provider, in memory, ES256",
        ["node", str(NODE / "oidc_provider.mjs"), "{port}", str(clients)],
        {"NODE_ENV": "production"},
        "/jwks",
    )


def authlib_on_flask() -> Contestant:
    """Return Authlib's server on Flask, under Granian with one thread: quicker than gunicorn and than more threads."""
    return _peer(
        "authlib",
        "(d) Authlib on Flask, in memory, ES256",
        _granian_wsgi("authlib_app:app"),
        {"PEER_CLIENTS": str(_peer_clients())},
        "/jwks",
    )


def django_oauth_toolkit() -> Contestant:
    """Return django-oauth-toolkit with a fresh SQLite database, under Granian with one thread as above."""
    database = BUILD / "django.sqlite3"
    for file in (database, *BUILD.glob("django.sqlite3-*")):
        file.unlink(missing_ok=True)
    environment = {"PEER_DATABASE": str(database)}
    subprocess.run(
        [PEERS / "bin" / "python", "django_app.py", _peer_clients()],
        check=True,
        cwd=SERVED,
        env=server_environment(environment),
    )
    title = "(e) django-oauth-toolkit, SQLite, signs nothing"
    return _peer("django", title, _granian_wsgi("django_app:app"), environment, "")


def _peer(name: str, title: str, command: list[str], environment: Mapping[str, str], jwks_path: str) -> Contestant:
    requests = BUILD / "peer_requests"
    return Contestant(
        name=name,
        title=title,
        command=command,
        environment=environment,
        path="/token",
        content_type="application/x-www-form-urlencoded",
        requests=requests,
        request_length=requests.stat().st_size // _PEER_CLIENTS,
        jwks_path=jwks_path,
    )


def _granian_wsgi(application: str) -> list[str]:
    options = "--interface wsgi --host 127.0.0.1 --port {port} --workers 1 --blocking-threads 1 --http 1 --no-ws"
    return [str(PEERS / "bin" / "granian"), *options.split(), application]


def _peer_clients() -> Path:
    # Few, which is best for the peers: they keep them in memory or in a small table.
    shown = [
        {"client_id": f"client-{number:019}", "client_secret": f"secret-{number:036}"}
        for number in range(_PEER_CLIENTS)
    ]
    clients = BUILD / "peer_clients.json"
    clients.write_text(json.dumps(shown))
    (BUILD / "peer_requests").write_text(
        "".join(
            "grant_type=client_credentials&client_id={client_id}&client_secret={client_secret}".format(**one)
            for one in shown
        )
    )
    return clients


@dataclass
class Server:
    """A contestant that runs."""

    contestant: Contestant
    running: Running
    others: tuple[Running, ...] = ()  # further nodes, which are loaded as much
    next_record: int = 0  # where credentials are sent in turn

    @property
    def nodes(self) -> tuple[Running, ...]:
        """Return all of its nodes."""
        return (self.running, *self.others)

    @property
    def applications(self) -> int:
        """Return how many applications' credentials it is sent."""
        return self.contestant.requests.stat().st_size // self.contestant.request_length

    @property
    def url(self) -> str:
        """Return the address of its token endpoint."""
        return f"http://127.0.0.1:{self.running.port}{self.contestant.path}"
