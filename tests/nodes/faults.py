"""What is broken while the test runs: nodes, the ways to PostgreSQL, PostgreSQL itself, and the verifiers' ways.

Each fault is a function that breaks something, waits, and mends it.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import psycopg

from tests.nodes.history import Absence, FaultRecord, History, now
from tests.nodes.node import Node
from tests.nodes.postgresql_cluster import MOST_CONNECTIONS, PostgresqlCluster
from tests.nodes.switchable_proxy import Direction, SwitchableProxy

FOLLOWER = "sensos-auth follower"
ALL = "PostgreSQL"
_WRITERS_LOCK = 0x53454E534F53  # of sensos_auth.registry.postgresql


@dataclass
class Stage:
    """All that can be broken. ``ways`` are the proxies to PostgreSQL by the server that they lead to at first.

    ``fronts`` are the ways from the verifiers to their nodes, and ``node_of`` says which those are.
    """

    cluster: PostgresqlCluster
    nodes: Sequence[Node]
    following: Sequence[SwitchableProxy]
    administrators: SwitchableProxy
    fronts: dict[str, SwitchableProxy] = field(default_factory=dict)
    node_of: dict[str, str] = field(default_factory=dict)

    def switch_to_primary(self) -> None:
        """Lead the proxies that follow the primary to where it is now."""
        for proxy in self.following:
            proxy.switch_to(self.cluster.primary.port)


class Fault(NamedTuple):
    """Something to break. ``do`` gets the stage and chance, and returns whom it hit: a node, a verifier, or ALL.

    ``blind_for`` is how many seconds after its end a verifier may still be waiting for an answer.
    """

    kind: str
    weight: float
    do: Callable[[Stage, random.Random], str]
    blind_for: float


def _pause(chance: random.Random, least: float, most: float) -> None:
    time.sleep(chance.uniform(least, most))


# Nodes


def _node_paused(stage: Stage, chance: random.Random) -> str:
    node = chance.choice(stage.nodes)
    node.pause()
    _pause(chance, 0.2, 3.0) if chance.random() < 0.9 else _pause(chance, 8.0, 14.0)
    node.resume()
    return node.name


def _node_killed(stage: Stage, chance: random.Random) -> str:
    node = chance.choice(stage.nodes)
    chance.choice((node.kill, node.kill_worker))()
    _pause(chance, 0.5, 1.0)
    return node.name


def _node_ended(stage: Stage, chance: random.Random) -> str:
    node = chance.choice(stage.nodes)
    node.terminate()
    _pause(chance, 0.5, 1.0)
    return node.name


# Ways to PostgreSQL


def _cut(stage: Stage, chance: random.Random) -> str:
    node = chance.choice(stage.nodes)
    for proxy in node.databases:
        proxy.cut()
    _pause(chance, 0.1, 0.3)
    return node.name


def _refused(stage: Stage, chance: random.Random) -> str:
    node = chance.choice(stage.nodes)
    with _mended(node.databases):
        for proxy in node.databases:
            proxy.refuse()
        _pause(chance, 0.3, 4.0)
    return node.name


def _half_open(stage: Stage, chance: random.Random) -> str:
    node = chance.choice(stage.nodes)
    direction = chance.choice((Direction.BOTH, Direction.TO_SERVER, Direction.TO_CLIENT))
    with _mended(node.databases):
        for proxy in node.databases:
            proxy.lose(direction)
        _pause(chance, 0.5, 4.0)
    return node.name


def _slow(seconds: float) -> Callable[[Stage, random.Random], str]:
    def slow(stage: Stage, chance: random.Random) -> str:
        node = chance.choice(stage.nodes)
        with _mended(node.databases):
            for proxy in node.databases:
                proxy.delay(seconds)
            _pause(chance, 1.0, 4.0)
        return node.name

    return slow


def _follower_terminated(stage: Stage, chance: random.Random) -> str:
    with suppress(psycopg.Error), stage.cluster.primary.connection() as connection:
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s", (FOLLOWER,)
        ).fetchall()
        if found:
            connection.execute("SELECT pg_terminate_backend(%s)", chance.choice(found))
    _pause(chance, 0.1, 0.3)
    return "a follower"


def _follower_silenced(stage: Stage, chance: random.Random) -> str:
    node = chance.choice(stage.nodes)
    direction = chance.choice((Direction.BOTH, Direction.TO_CLIENT))
    with _mended(node.databases):
        for proxy in node.databases:
            proxy.lose(direction, FOLLOWER)
        _pause(chance, 0.5, 3.0)
    return node.name


@contextmanager
def _mended(proxies: Iterable[SwitchableProxy]) -> Iterator[None]:
    try:
        yield
    finally:
        for proxy in proxies:
            proxy.mend()


# PostgreSQL


def _restarted(mode: Literal["fast", "immediate"]) -> Callable[[Stage, random.Random], str]:
    def restarted(stage: Stage, chance: random.Random) -> str:
        stage.cluster.primary.stop(mode)
        _pause(chance, 0.0, 1.5)
        stage.cluster.primary.start()
        return ALL

    return restarted


def _postgresql_paused(stage: Stage, chance: random.Random) -> str:
    stage.cluster.primary.pause()
    _pause(chance, 0.3, 4.0)
    stage.cluster.primary.resume()
    return ALL


def _failed_over(stage: Stage, chance: random.Random) -> str:
    """The primary crashes, or hangs and is shot, and the standby takes its place."""
    old = stage.cluster.primary
    if chance.random() < 0.5:
        old.stop("immediate")
    else:
        old.pause()
        _pause(chance, 0.0, 1.0)
        old.kill()
    stage.cluster.fail_over()
    stage.switch_to_primary()
    _pause(chance, 0.0, 1.0)
    stage.cluster.make_standby()
    return ALL


def _standby_lost(stage: Stage, chance: random.Random) -> str:
    if chance.random() < 0.5:
        stage.cluster.standby.pause()
        _pause(chance, 0.5, 4.0)
        stage.cluster.standby.resume()
    else:
        stage.cluster.standby.stop(chance.choice(("fast", "immediate")))
        _pause(chance, 0.5, 3.0)
        stage.cluster.standby.start()
    return ALL


def _crowded(stage: Stage, chance: random.Random) -> str:
    """Others use up all connections, and the nodes lose theirs."""
    others: list[psycopg.Connection[object]] = []
    with suppress(psycopg.Error):
        stage.cluster.primary.terminate_backends("sensos-auth %")
        while len(others) < MOST_CONNECTIONS:
            others += [psycopg.connect(stage.cluster.primary.url(), connect_timeout=2)]
    _pause(chance, 0.5, 2.0)
    for connection in others:
        connection.close()
    return ALL


def _writers_held_up(stage: Stage, chance: random.Random) -> str:
    with suppress(psycopg.Error), stage.cluster.primary.connection(stage.cluster.database) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_WRITERS_LOCK,))
        _pause(chance, 0.5, 4.0)
    return "writers"


def _tables_locked(stage: Stage, chance: random.Random) -> str:
    """Somebody alters a table, or reads all of it with a lock that lets nobody else in."""
    database = stage.cluster.database
    with suppress(psycopg.Error), stage.cluster.primary.connection(database) as other, other.transaction():
        other.execute("SET LOCAL lock_timeout = 1000")
        other.execute("LOCK TABLE secrets, clock IN ACCESS EXCLUSIVE MODE")
        _pause(chance, 0.3, 3.0)
    return ALL


# Verifiers and administrators


def _verifier_cut_off(stage: Stage, chance: random.Random) -> str:
    name = chance.choice(list(stage.fronts))
    with _mended([stage.fronts[name]]):
        stage.fronts[name].refuse()
        _pause(chance, 0.1, 3.0)
    return name


def _verifier_half_open(stage: Stage, chance: random.Random) -> str:
    name = chance.choice(list(stage.fronts))
    with _mended([stage.fronts[name]]):
        stage.fronts[name].lose(chance.choice((Direction.BOTH, Direction.TO_CLIENT, Direction.TO_SERVER)))
        _pause(chance, 0.5, 3.0)
    return name


def _administrators_cut_off(stage: Stage, chance: random.Random) -> str:
    with _mended([stage.administrators]):
        if chance.random() < 0.5:
            stage.administrators.lose(Direction.TO_CLIENT)
            _pause(chance, 0.3, 1.0)
            stage.administrators.cut()
        else:
            for _ in range(3):
                stage.administrators.cut()
                _pause(chance, 0.05, 0.2)
    return "administrators"


# How long a verifier may wait for an answer that does not come: 10 s for which a poll is held, and 3 s.
_SILENT = 15.0
# Until a node notices that its database does not answer: 6 s, and its verifiers ask again a second later.
_NODE_WAITS = 10.0
_LOUD = 4.0

OF_NODES: Sequence[Fault] = (
    Fault("node paused", 4, _node_paused, _LOUD),
    Fault("node killed", 1.5, _node_killed, _LOUD),
    Fault("node ended in order", 0.7, _node_ended, _LOUD),
    Fault("node cut off", 2, _cut, _LOUD),
    Fault("node refused by the database", 2, _refused, _LOUD),
    Fault("node half-open to the database", 3, _half_open, _NODE_WAITS),
    Fault("database slow by 50 ms", 1, _slow(0.05), _LOUD),
    Fault("database slow by 500 ms", 1, _slow(0.5), _NODE_WAITS),
    Fault("database slow by 5 s", 1, _slow(5.0), _NODE_WAITS),
    Fault("LISTEN connection killed", 1.5, _follower_terminated, 0.0),
    Fault("LISTEN connection silenced", 2.5, _follower_silenced, _LOUD),
    Fault("verifier cut off", 1, _verifier_cut_off, _LOUD),
    Fault("verifier half-open", 1, _verifier_half_open, _SILENT),
    Fault("administrators cut off", 1.5, _administrators_cut_off, 0.0),
)
OF_POSTGRESQL: Sequence[Fault] = (
    Fault("PostgreSQL restarted", 1, _restarted("fast"), _LOUD),
    Fault("PostgreSQL crashed", 1.5, _restarted("immediate"), _LOUD),
    Fault("PostgreSQL paused", 1.5, _postgresql_paused, _NODE_WAITS),
    Fault("PostgreSQL failed over", 2, _failed_over, _NODE_WAITS),
    Fault("standby lost", 1.5, _standby_lost, 0.0),
    Fault("connections used up", 1, _crowded, _LOUD),
    Fault("writers held up", 1, _writers_held_up, 0.0),
    Fault("tables locked", 1, _tables_locked, _LOUD),
)
BLIND_FOR = {fault.kind: fault.blind_for for fault in (*OF_NODES, *OF_POSTGRESQL)}


class Breaking:
    """A thread that breaks one thing after the other, until it is told to end."""

    def __init__(
        self, faults: Sequence[Fault], stage: Stage, history: History, chance: random.Random, pause: float
    ) -> None:
        self._faults = faults
        self._stage = stage
        self._history = history
        self._chance = chance
        self._longest_pause = pause
        self._is_over = threading.Event()
        # Each of them once before any comes again, so that a short run meets many; then by weight.
        self._turn = chance.sample(list(faults), len(faults))
        self.failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="faults", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """End, once what is broken is mended."""
        self._is_over.set()
        self._thread.join(120)

    def _next(self) -> Fault:
        if self._turn:
            return self._turn.pop()
        return self._chance.choices(list(self._faults), [fault.weight for fault in self._faults])[0]

    def _run(self) -> None:
        while not self._is_over.wait(self._chance.uniform(0.1, self._longest_pause)):
            fault = self._next()
            begin = now()
            try:
                target = fault.do(self._stage, self._chance)
            except Exception as error:  # noqa: BLE001 - told at the end: a test that breaks nothing proves nothing
                self.failure = error
                return
            self._history.faults.append(FaultRecord(fault.kind, target, begin, now()))


def absences(stage: Stage, faults: Iterable[FaultRecord], unready: Iterable[FaultRecord]) -> Iterator[Absence]:
    """Yield when which verifier may have been out of touch, by what was broken and which nodes were not ready."""
    for kind, target, begin, end in (*faults, *unready):
        blind_for = BLIND_FOR.get(kind, _LOUD)
        if not blind_for:
            continue
        for verifier, node in stage.node_of.items():
            if target in {verifier, node, ALL} or not node:
                yield Absence(verifier, begin, end + blind_for)
