"""Three nodes on a PostgreSQL cluster, the applications, administrators and verifiers around them: made and started."""

import base64
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns

import sensos_auth
from sensos_auth.registry import open_registry
from sensos_auth.registry.applications import create_application
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.tenants import create_tenant
from sensos_auth.registry.transactions import Change
from tests.nodes.administrators import Administrator, World
from tests.nodes.faults import Stage
from tests.nodes.gateway import Gateway
from tests.nodes.history import Asked, History, Policy
from tests.nodes.machine import StallWatch
from tests.nodes.node import Node, node_environment
from tests.nodes.postgresql_cluster import PostgresqlCluster, postgresql_cluster
from tests.nodes.readiness import ReadinessWatch
from tests.nodes.switchable_proxy import Proxies, SwitchableProxy, running_proxies
from tests.nodes.token_clients import TokenClients
from tests.nodes.verifiers import VerifierProcess, Verifiers
from tests.nodes.ways import OPERATOR_SCOPE, CommandLine, ManagementApi, UseCases, Way
from tests.running_service import COMMAND, ExampleApplication, free_port

_TENANTS, _APPLICATIONS_OF_EACH = 6, 5
_ADMINISTRATORS = 6
_READY_WITHIN = 60.0
_STRICT, _LENIENT = Policy(refuses=True, max_staleness=5.0), Policy(refuses=False, max_staleness=60.0)


@dataclass
class Scene:
    """All of it, ready. ``environment`` is that of commands, past what is broken between nodes and PostgreSQL."""

    stage: Stage
    history: History
    clients: TokenClients
    verifiers: Verifiers
    administrators: list[Administrator]
    readiness: ReadinessWatch
    environment: dict[str, str]
    folder: Path

    @property
    def url(self) -> str:
        """Return where the registry is now, past every proxy."""
        return self.stage.cluster.primary.url(self.stage.cluster.database)


class _Surroundings:
    """What nodes and commands need to know: the issuer, the master key, and the way that administrators take."""

    def __init__(self, folder: Path, cluster: PostgresqlCluster, proxies: Proxies) -> None:
        self.folder = folder
        self.cluster = cluster
        self.proxies = proxies
        # Verifiers that may go to any node go there; it is the issuer's URL for all.
        self.balanced = proxies.to(free_port())
        self.issuer = f"http://localhost:{self.balanced.port}"
        self.administrators_way = proxies.to(cluster.primary.port)
        # A copy of what is tested: nodes that start anew run the same, whatever is edited meanwhile.
        self.source = folder / "src"
        copytree(Path(sensos_auth.__file__).parents[1], self.source, ignore=ignore_patterns("__pycache__"))
        self.master_key_file = folder / "master.key"
        self.master_key_file.touch(0o600)
        self.master_key_file.write_text(base64.urlsafe_b64encode(os.urandom(32)).decode())

    def url(self, *ways: SwitchableProxy) -> str:
        """Return the URL of the database, by these ways."""
        hosts = ",".join(f"127.0.0.1:{proxy.port}" for proxy in ways)
        return f"postgresql://postgres@{hosts}/{self.cluster.database}?sslmode=disable&gssencmode=disable"

    def environment(self, *ways: SwitchableProxy) -> dict[str, str]:
        """Return the environment of a node or a command."""
        return node_environment(
            database_url=self.url(*ways),
            issuer=self.issuer,
            folder=self.folder,
            master_key_file=self.master_key_file,
            source=self.source,
        )


@contextmanager
def scene(seed: int) -> Iterator[Scene]:
    """Start everything, and end it after the block. Logs are kept where the environment says ``KEEP_LOGS``."""
    with ExitStack() as stack:
        if os.environ.get("KEEP_LOGS"):
            folder = Path(tempfile.mkdtemp(prefix="sensos-auth-nodes-"))
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sensos-auth-nodes-")))
        proxies = stack.enter_context(running_proxies())
        cluster = stack.enter_context(postgresql_cluster())
        around = _Surroundings(folder, cluster, proxies)
        command_environment = around.environment(around.administrators_way)
        subprocess.run([COMMAND, "db", "upgrade"], env=command_environment, check=True, capture_output=True, timeout=60)
        applications, operators = _population(around.url(around.administrators_way))
        stage = _stage(around, stack)
        history = History()
        verifiers = _verifiers(around, stage, history, stack)
        world = _world(applications)

        def when_issued(asked: Asked, token: str) -> None:
            verifiers.show(asked, token)
            world.recent_tokens.append((asked, token))
            if asked.kid not in world.kids:
                world.kids.append(asked.kid)

        clients = TokenClients(stage.nodes, history, when_issued, good=world.good, any_other=world.asked_for)
        administrators = []
        for number, operator in enumerate(operators):
            chance = random.Random(f"administrator {seed} {number}")  # noqa: S311 - a test's choices
            administrators.append(
                Administrator(
                    f"administrator {number}",
                    ways=_ways(around, stage, operator, number, chance),
                    world=world,
                    history=history,
                    clients=clients,
                    verifiers=verifiers,
                    chance=chance,
                )
            )
        readiness, stalls = ReadinessWatch(stage.nodes, around.balanced), StallWatch(history)
        readiness.start()
        stalls.start()
        stack.callback(stalls.end)
        yield Scene(
            stage,
            history,
            clients,
            verifiers,
            administrators,
            readiness,
            around.environment(around.administrators_way),
            folder,
        )


def _stage(around: _Surroundings, stack: ExitStack) -> Stage:
    cluster, proxies = around.cluster, around.proxies
    following = [around.administrators_way]
    nodes = []
    for name in ("node 1", "node 2", "node 3"):
        ways = [proxies.to(cluster.primary.port)]
        if name == "node 3":  # one way to each server: it finds the primary by itself
            ways.append(proxies.to(cluster.standby.port))
        else:
            following += ways
        node = Node(name, around.folder, around.environment(*ways), ways)
        node.start()
        stack.callback(node.end)
        nodes.append(node)
    around.balanced.switch_to(nodes[0].port)
    give_up_at = time.monotonic() + _READY_WITHIN
    while not all(node.is_ready() for node in nodes):
        if time.monotonic() > give_up_at:
            raise RuntimeError("\n".join(node.log_file.read_text()[-2000:] for node in nodes))
        time.sleep(0.1)
    return Stage(cluster, nodes, following, around.administrators_way)


def _verifiers(around: _Surroundings, stage: Stage, history: History, stack: ExitStack) -> Verifiers:
    node_1, node_2, node_3 = stage.nodes
    chosen = [
        ("strict at node 1", _STRICT, node_1.name, around.proxies.to(node_1.port)),
        ("lenient at node 2", _LENIENT, node_2.name, around.proxies.to(node_2.port)),
        ("strict at any node", _STRICT, "", around.balanced),
    ]
    processes = []
    for name, policy, node, way in chosen:
        stage.fronts[name], stage.node_of[name] = way, node
        log_file = around.folder / f"{name.replace(' ', '-')}.log"
        process = VerifierProcess(
            name, issuer=around.issuer, port=way.port, policy=policy, history=history, log_file=log_file
        )
        stack.callback(process.end)
        processes.append(process)
    gateway = Gateway("gateway at node 3", node_3, history)
    stage.node_of[gateway.name] = node_3.name
    stack.callback(gateway.end)
    for process in processes:
        process.wait_until_ready()
    return Verifiers([*processes, gateway])


def _ways(
    around: _Surroundings, stage: Stage, operator: ExampleApplication, number: int, chance: random.Random
) -> list[tuple[Way, float]]:
    """Return the ways that an administrator takes, and how often."""
    way = around.administrators_way
    return [
        (ManagementApi(stage.nodes, operator, chance.choice), 6.0),
        (UseCases(around.url(way), around.master_key_file, f"test:{number}"), 3.0),
        (CommandLine(around.environment(way)), 0.8),
    ]


def _world(applications: list[ExampleApplication]) -> World:
    tenants: dict[str, list[str]] = {}
    for application in applications:
        tenants.setdefault(application.tenant_id, []).append(application.application_id)
    return World(tenants, list(applications), list(applications))


def _population(url: str) -> tuple[list[ExampleApplication], list[ExampleApplication]]:
    """Make the applications that ask for tokens, and those that administrators call with."""
    with closing(open_registry(url)) as registry, registry.change("setup") as change:
        applications = []
        for _ in range(_TENANTS):
            tenant_id = create_tenant(change, name="Blue Motors").tenant_id
            applications += [_application(change, tenant_id, "") for _ in range(_APPLICATIONS_OF_EACH)]
        tenant_id = create_tenant(change, name="Operators").tenant_id
        return applications, [_application(change, tenant_id, OPERATOR_SCOPE) for _ in range(_ADMINISTRATORS)]


def _application(change: Change, tenant_id: str, scope: str) -> ExampleApplication:
    application = create_application(change, tenant_id=tenant_id, name="Fleet sync", scope=scope)
    secret, shown = create_secret(change, application_id=application.application_id)
    return ExampleApplication(tenant_id, application.application_id, secret.secret_id, shown)
