"""How long it takes to disable an application, and how long the nodes go on issuing for it."""

import http.client
import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial

import psycopg

from benchmarks.nodes.cluster import NODES, Cluster
from benchmarks.nodes.watchers import Watchers
from sensos_auth.registry import postgresql
from sensos_auth.registry.applications import disable_application
from tests.running_service import TOKEN_PATH

# Seconds: how long nodes are watched after the call has returned, and at most before it.
_WATCHED_AFTER = 0.1
_MOST_BEFORE = 0.15
# Seconds from a fault to the call, at most.
_MOST_DELAY = 0.1
_SCOPE = "auth:applications:write auth:operator"


@dataclass(frozen=True)
class Disabled:
    """One application: when the call began and returned, when it had committed, and when the last token came.

    ``committed`` is None where that can't be seen. ``too_late`` counts nodes that issued a token to a request which
    began after the return; ``others`` answers that were neither 200 nor 401.
    """

    began: float
    committed: float | None
    returned: float
    last: float
    too_late: int
    others: int


# Disables an application, and returns when that was committed.
Disable = Callable[[str], float | None]
# What is wrong while that is done.
Fault = Callable[[], AbstractContextManager[None]]


def kinds(cluster: Cluster) -> dict[str, tuple[Disable, Fault]]:
    """Return what is measured: how applications are disabled, and what is wrong meanwhile."""
    by_use_case = _by_use_case(cluster)
    return {
        "as the command line does": (by_use_case, nullcontext),
        "through the management API": (_by_management_api(cluster), nullcontext),
        "the notification is lost": (by_use_case, _notification_lost),
        "LISTEN connections killed": (by_use_case, partial(_listening_killed, cluster)),
        "LISTEN connections silent": (by_use_case, partial(_listening_silent, cluster)),
    }


def _by_use_case(cluster: Cluster) -> Disable:
    """Return what disables as the command line does, in this process."""
    committed = 0.0

    def settle(seconds: float) -> None:
        nonlocal committed
        committed = time.monotonic()
        time.sleep(seconds)

    def disable(application_id: str) -> float:
        with cluster.registry.change("benchmark") as change:
            disable_application(change, application_id)
        return committed

    cluster.registry.settle = settle
    return disable


def _by_management_api(cluster: Cluster) -> Disable:
    """Return what disables through the management API, on one node after the other."""
    connections = [http.client.HTTPConnection("127.0.0.1", node.port, timeout=30) for node in cluster.nodes]
    operator = json.dumps(cluster.new_applications(1, _SCOPE)[0].credentials())
    headers = {"Authorization": f"Bearer {_token(connections[0], operator)}"}

    def disable(application_id: str) -> None:
        connection = connections[0]
        connections.append(connections.pop(0))
        connection.request("POST", f"/v1/applications/{application_id}/disable", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()  # or the node does, when nothing is asked for a while
        if answer.status != 200:
            raise SystemExit(f"disabling was answered with {answer.status}: {body.decode()}")

    return disable


@contextmanager
def _notification_lost() -> Iterator[None]:
    """Notify a channel that nobody listens to."""
    heard = postgresql.CHANNEL
    setattr(postgresql, "CHANNEL", "nobody")  # noqa: B010 - it is Final
    try:
        yield
    finally:
        setattr(postgresql, "CHANNEL", heard)  # noqa: B010


@contextmanager
def _listening_killed(cluster: Cluster) -> Iterator[None]:
    """Kill the connections by which the nodes follow, just before; afterwards wait until they are back."""
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sensos-auth follower'"
        )
    _wait_up_to(_MOST_DELAY)
    yield
    _wait_for_followers(cluster)


@contextmanager
def _listening_silent(cluster: Cluster) -> Iterator[None]:
    """Have those connections stay open and say nothing any more, as when the other end has vanished."""
    processes = cluster.sessions("follower")
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    _wait_up_to(_MOST_DELAY)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
    _wait_for_followers(cluster)


def measure(
    cluster: Cluster,
    watchers: Watchers,
    disable: Disable,
    number: int,
    fault: Fault = nullcontext,
) -> list[Disabled]:
    """Disable one application after the other, while each node is asked for its tokens."""
    measured = []
    for application in cluster.new_applications(number):
        with watchers.watching(json.dumps(application.credentials())) as reports:
            _wait_up_to(_MOST_BEFORE)
            with fault():
                began = time.monotonic()
                committed = disable(application.application_id)
                returned = time.monotonic()
                time.sleep(_WATCHED_AFTER)
        measured.append(
            Disabled(
                began,
                committed,
                returned,
                last=max(report.came for report in reports),
                too_late=sum(report.began > returned for report in reports),
                others=sum(sum(report.answers.values()) for report in reports)
                - sum(report.answers.get(status, 0) for report in reports for status in ("200", "401")),
            )
        )
    return measured


def _wait_up_to(seconds: float) -> None:
    time.sleep(random.uniform(0, seconds))  # noqa: S311 - no secret


def _wait_for_followers(cluster: Cluster) -> None:
    give_up_at = time.monotonic() + 30
    while len(cluster.sessions("follower")) != NODES:
        if time.monotonic() > give_up_at:
            raise SystemExit("The nodes did not follow the registry again within 30 seconds.")
        time.sleep(0.05)
    time.sleep(0.1)


def _token(connection: http.client.HTTPConnection, body: str) -> str:
    connection.request("POST", TOKEN_PATH, body, {"Content-Type": "application/json"})
    token: str = json.loads(connection.getresponse().read())["accessToken"]
    connection.close()
    return token
