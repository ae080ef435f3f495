"""What everybody sees while PostgreSQL is away: stopped as if the power went, or standing still, connections open."""

import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

from benchmarks.nodes.cluster import Cluster
from benchmarks.nodes.observing import Asking, Observer, following_of, observing, verdict_on
from benchmarks.revocation.latency import token_id
from benchmarks.token_endpoint.serving import Running
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.verifying import Verifier
from tests.running_service import AUDIENCE, JWKS_PATH, TOKEN_PATH, ExampleApplication

HELD, NOT_HELD = "integrators: token, application held", "integrators: token, application not held"
READY = "operators: /readyz"
FEED = "verifiers: revocation feed"
# Those who should notice nothing.
UNTOUCHED = (
    GATEWAYS := "gateways: /v1/verify",
    JWKS := "verifiers: JWKS",
    GOOD := "verifiers: library with feed, a good token",
    REVOKED := "verifiers: library with feed, a revoked token",
    ALIVE := "operators: /healthz",
)
_BEFORE, _AFTER = 3.0, 8.0  # seconds
_LOOKS_EVERY = 0.01
_OTHERS = 2_000
# Whoever enables an application holds all that it may do.
_HELD_SCOPE = "devices:read"
_SCOPE = f"auth:tenants:read auth:applications:write auth:operator {_HELD_SCOPE}"


@dataclass(frozen=True)
class Outage:
    """When the database went, when it accepted connections again; what everybody saw, and the nodes' log lines.

    Log lines are those from the start to the end of the observation, by what they say; requests aside.
    """

    gone: float
    back: float
    observers: list[Observer]
    log_lines: dict[str, int]


def stopped(cluster: Cluster, seconds: float) -> None:
    """Stop the server as if the power went, start it after so many seconds, and return once it accepts connections."""
    cluster.server.stop("immediate")
    time.sleep(seconds)
    cluster.server.start(waits=False)
    while not cluster.server.accepts():
        time.sleep(_LOOKS_EVERY)


def paused(cluster: Cluster, seconds: float) -> None:
    """Let the server stand still with all its connections for so many seconds."""
    with cluster.server.paused():
        time.sleep(seconds)


def observe(cluster: Cluster, outage: Callable[[Cluster, float], None], seconds: float) -> Outage:
    """Have everybody ask, from some seconds before the outage to some after it."""
    held = cluster.new_applications(1, _HELD_SCOPE)[0]
    token, revoked = _token(cluster, held), _token(cluster, held)
    with cluster.registry.change("benchmark") as change:
        revoke_token(change, token_id(revoked))
    with closing(Verifier.connect(cluster.issuer, audience=AUDIENCE)) as verifier:
        verifier.wait_until_ready()
        observers = [
            *chain.from_iterable(_at_node(cluster, node.port, held, token) for node in cluster.nodes),
            Observer(GOOD, "accepted", 0.02, verdict_on(verifier, token)),
            Observer(REVOKED, "refused", 0.02, verdict_on(verifier, revoked)),
            Observer("verifiers: library, follows the feed", "yes", 0.02, following_of(verifier)),
        ]
        logged = [node.log.stat().st_size for node in cluster.nodes]
        with observing(observers):
            time.sleep(_BEFORE)
            gone = time.monotonic()
            outage(cluster, seconds)
            back = time.monotonic()
            time.sleep(_AFTER)
    log_lines = Counter(chain.from_iterable(map(_said, cluster.nodes, logged)))
    return Outage(gone, back, observers, dict(log_lines.most_common()))


def _at_node(cluster: Cluster, port: int, held: ExampleApplication, token: str) -> list[Observer]:
    operator = _bearer(_token(cluster, cluster.new_applications(1, _SCOPE)[0]))
    one = [json.dumps(held.credentials())]
    others = [json.dumps(each.credentials()) for each in cluster.new_applications(_OTHERS)]
    enable = f"/v1/applications/{held.application_id}/enable"
    asked = [
        (HELD, 0.01, Asking(port, "POST", TOKEN_PATH, bodies=one)),
        (NOT_HELD, 0.02, Asking(port, "POST", TOKEN_PATH, bodies=others)),
        (GATEWAYS, 0.05, Asking(port, "GET", "/v1/verify", _bearer(token))),
        (JWKS, 0.1, Asking(port, "GET", JWKS_PATH)),
        (FEED, 0.1, Asking(port, "GET", "/v1/revocations")),
        (READY, 0.05, Asking(port, "GET", "/readyz")),
        (ALIVE, 0.1, Asking(port, "GET", "/healthz")),
        ("operators: management, reading", 0.2, Asking(port, "GET", "/v1/tenants", operator)),
        ("operators: management, changing", 0.5, Asking(port, "POST", enable, operator)),
    ]
    return [Observer(who, "200", pause, asking) for who, pause, asking in asked]


def _token(cluster: Cluster, application: ExampleApplication) -> str:
    asking = Asking(cluster.nodes[0].port, "POST", TOKEN_PATH, bodies=[json.dumps(application.credentials())])
    asking()
    token: str = json.loads(asking.body)["accessToken"]
    return token


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _said(node: Running, from_byte: int) -> list[str]:
    lines = [json.loads(line) for line in node.log.read_bytes()[from_byte:].splitlines()]
    # Of what libraries say, the beginning: the rest is different each time.
    return [f"{line['level']}: {line['event'].partition(':')[0]}" for line in lines if line["event"] != "request"]
