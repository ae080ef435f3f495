"""The same FastAPI service open, behind the product, and behind others: requests per second on one core."""

import http.client
import json
import re
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.token_endpoint.machine import Cores, busy_seconds, cpu_seconds, process_tree
from benchmarks.token_endpoint.serving import Running, running
from benchmarks.verifying.material import Material
from benchmarks.verifying.places import BUILD, HERE, MATERIAL, PEERS, REPOSITORY, SERVED

CONNECTIONS = 64
WORKING, EMPTY = "/devices", "/empty"
SERVICES = {
    "nothing": "open",
    "empty dependency": "a dependency that does nothing",
    "sensos-auth": "Sensos Auth",
    "pyjwt": "PyJWT and PyJWKClient",
}
Name = tuple[str, str]  # of what stands before the endpoint, and the endpoint's path
_LOADED: list[Name] = [
    *((name, WORKING) for name in ("nothing", "sensos-auth", "pyjwt")),
    *((name, EMPTY) for name in SERVICES),
]
_OPEN = ("nothing", "empty dependency")
_TOKENS = BUILD / "tokens.txt"
_GRANIAN = "--interface asgi --host 127.0.0.1 --port {port} --workers 1 --loop uvloop --http 1 --no-ws protected:app"


@dataclass(frozen=True)
class Load:
    """One round: requests per second, and the CPU that the service and everybody else used, in cores."""

    rate: float
    p99_ms: float
    server_cpu: float
    others_cpu: float

    @property
    def cpu_each(self) -> float:
        """Return the service's CPU time for one answer in microseconds: what other processes disturb least."""
        return self.server_cpu / self.rate * 1e6


def measure_services(material: Material, cores: Cores, rounds: int, seconds: int) -> dict[Name, list[Load]]:
    """Start the services on one core, prove that they refuse what they should, and load them in turns."""
    _TOKENS.write_text("".join(f"{token}\n" for token in material.tokens))
    loads: dict[Name, list[Load]] = {name: [] for name in _LOADED}
    with ExitStack() as stack:
        servers = {}
        for name in SERVICES:
            environment = {
                "MATERIAL": str(MATERIAL),
                "JWKS_URL": material.jwks_url,
                "PROTECTED_BY": name,
                "PYTHONPATH": str(REPOSITORY / "src"),
            }
            command = [*cores.pinned(cores.server), str(PEERS / "bin" / "granian"), *_GRANIAN.split()]
            servers[name] = stack.enter_context(
                running(f"verifying_{name.replace(' ', '_')}", command, environment, SERVED)
            )
            _prove(name, servers[name], material.tokens[0])
            _load(servers[name], WORKING, cores, min(2, seconds))
        for number in range(rounds):
            print(f"services, round {number + 1} of {rounds}", flush=True)
            shift = number % len(_LOADED)
            for name, path in _LOADED[shift:] + _LOADED[:shift]:
                loads[name, path].append(_load(servers[name], path, cores, seconds))
    return loads


def _load(server: Running, path: str, cores: Cores, seconds: int) -> Load:
    command = [*cores.pinned(cores.load), "wrk", "--threads=1", f"--connections={CONNECTIONS}"]
    command += [
        f"--duration={seconds}s",
        "--timeout=10s",
        "--header=Host: 127.0.0.1",
        f"--script={HERE / 'tokens.lua'}",
    ]
    command += [f"http://127.0.0.1:{server.port}{path}", "--", str(_TOKENS)]
    tree = process_tree(server.process)
    used, busy = sum(map(cpu_seconds, tree)), busy_seconds()
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    server_seconds, all_seconds = sum(map(cpu_seconds, tree)) - used, busy_seconds() - busy
    match = re.search(r"^RESULT (.*)$", said, re.MULTILINE)
    if match is None:
        raise SystemExit(f"wrk did not finish:\n{said}")
    result = json.loads(match[1])
    if result["refused"] or result["broken"]:
        raise SystemExit(f"{result['refused']} refusals and {result['broken']} broken connections: nothing to compare")
    elapsed = result["microseconds"] / 1e6
    return Load(
        rate=result["answers"] / elapsed,
        p99_ms=result["p99"] / 1e3,
        server_cpu=server_seconds / elapsed,
        others_cpu=max(0.0, (all_seconds - server_seconds) / elapsed - 1),  # wrk has its core for itself
    )


def _prove(name: str, server: Running, token: str) -> None:
    head, _, signature = token.rpartition(".")
    forged = f"{head}.{signature[::-1]}"
    expected = [200, 200, 200] if name in _OPEN else [200, 401, 401]
    for path in (WORKING, EMPTY):
        answers = [_status(server, path, shown) for shown in (token, forged, None)]
        if answers != expected:
            raise SystemExit(f"{SERVICES[name]}: a good, a forged and no token were answered with {answers}")


def _status(server: Running, path: str, token: str | None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status
    finally:
        connection.close()
