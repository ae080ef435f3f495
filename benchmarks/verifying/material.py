"""What all contestants verify: access tokens that a running service of the product issued, and where its keys are."""

import http.client
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.token_endpoint.machine import Cores
from benchmarks.token_endpoint.places import PRODUCT
from benchmarks.token_endpoint.serving import running, server_environment
from benchmarks.verifying.places import BUILD, MATERIAL

AUDIENCE = "sensos-api"
TOKENS = 64
_COMMAND = str(PRODUCT / "sensos-auth")
# The issuer is the service's own URL, so that a verifier that knows the one finds keys and revocations at the other.
_SERVE = 'SENSOS_AUTH_ISSUER=http://127.0.0.1:{port} exec "$0" serve --host 127.0.0.1 --port {port} --workers 1'


@dataclass(frozen=True)
class Material:
    """Tokens that are all good, who issued them for whom, and the JWK set that verifies them."""

    issuer: str
    audience: str
    tokens: list[str]
    jwks: dict[str, Any]

    @property
    def jwks_url(self) -> str:
        """Return where the issuer publishes its keys."""
        return f"{self.issuer}/.well-known/jwks.json"


@contextmanager
def issued_material(cores: Cores) -> Iterator[Material]:
    """Run the product's service on the load generator's core, and write down what it issued for those who are timed."""
    folder = BUILD / "issuer"
    shutil.rmtree(folder, ignore_errors=True)
    environment = {"SENSOS_AUTH_DATA_DIR": str(folder), "SENSOS_AUTH_AUDIENCE": AUDIENCE}
    tenant = _printed(environment, "tenants", "create", "--name", "benchmark")
    scope = "devices:read devices:write"
    application = _printed(
        environment, "applications", "create", "--tenant", tenant["tenantId"], "--name", "caller", "--scope", scope
    )
    credentials = {name: application[name] for name in ("tenantId", "applicationId", "applicationSecret")}
    command = [*cores.pinned(cores.load), "sh", "-c", _SERVE, _COMMAND]
    with running("verifying_issuer", command, environment, BUILD) as server:
        material = Material(
            issuer=f"http://127.0.0.1:{server.port}",
            audience=AUDIENCE,
            tokens=[_ask(server.port, "/v1/applications/token", credentials)["accessToken"] for _ in range(TOKENS)],
            jwks=_ask(server.port, "/.well-known/jwks.json"),
        )
        MATERIAL.write_text(json.dumps(asdict(material)))
        yield material


def _printed(environment: dict[str, str], *command: str) -> dict[str, Any]:
    done = subprocess.run(
        [_COMMAND, *command, "--json"],
        check=True,
        capture_output=True,
        text=True,
        env=server_environment(environment),
    )
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def _ask(port: int, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        if body is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return answer
