"""Three nodes of the service on one PostgreSQL server, and what is asked of them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.postgresql.server import PostgresqlServer, postgresql_server
from benchmarks.token_endpoint.places import PRODUCT
from benchmarks.token_endpoint.serving import Running, running, wait_until_ready
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.applications import create_application
from sensos_auth.registry.migrating import migrate
from sensos_auth.registry.opening import open_database
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.tenants import create_tenant
from tests.running_service import ExampleApplication, free_port

NODES = 3


@dataclass(frozen=True)
class Cluster:
    """The nodes, the first of which is where verifiers find the issuer; ``registry`` is the benchmark's own way in."""

    server: PostgresqlServer
    url: str
    nodes: list[Running]
    registry: Registry

    @property
    def issuer(self) -> str:
        """Return the issuer of all nodes."""
        return issuer_on(self.nodes[0].port)

    def new_applications(self, number: int, scope: str = "") -> list[ExampleApplication]:
        """Make so many applications with a secret each, of one tenant."""
        made = []
        with self.registry.change("benchmark") as change:
            tenant_id = create_tenant(change, name="Blue Motors").tenant_id
            for _ in range(number):
                application = create_application(change, tenant_id=tenant_id, name="Fleet sync", scope=scope)
                secret, shown = create_secret(change, application_id=application.application_id)
                made.append(ExampleApplication(tenant_id, application.application_id, secret.secret_id, shown))
        return made

    def sessions(self, purpose: str) -> list[int]:
        """Return the server's processes that the nodes' connections for this purpose have."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = %s", (f"sensos-auth {purpose}",)
            ).fetchall()
        return [row[0] for row in rows]

    @contextmanager
    def load(self) -> Iterator[None]:
        """Have each node make some 200 tokens a second meanwhile."""
        body = json.dumps(self.new_applications(1)[0].credentials())
        command = [sys.executable, "-m", "benchmarks.revocation.loading"]
        processes = [subprocess.Popen([*command, str(node.port), body]) for node in self.nodes]
        try:
            yield
        finally:
            for process in processes:
                process.kill()
                process.wait()


def issuer_on(port: int) -> str:
    """Return the issuer that answers on this port."""
    return f"http://127.0.0.1:{port}"


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Run PostgreSQL and the nodes until the end of the block."""
    ports = [free_port() for _ in range(NODES)]
    with postgresql_server() as server, ExitStack() as stack:
        url = server.new_database("nodes")
        database = open_database(url)
        migrate(database, 0)
        database.close()
        environment = {
            "SENSOS_AUTH_DATA_DIR": str(folder),  # for the master key, which they share
            "SENSOS_AUTH_DATABASE_URL": url,
            "SENSOS_AUTH_ISSUER": issuer_on(ports[0]),
        }
        command = [str(PRODUCT / "sensos-auth"), "serve", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1"]
        nodes = []
        for number, port in enumerate(ports, 1):
            nodes.append(stack.enter_context(running(f"node_{number}", command, environment, folder, port)))
            wait_until_ready(port, "/readyz")
        registry = open_registry(url)
        stack.callback(registry.close)
        yield Cluster(server, url, nodes, registry)
