"""Three nodes of one deployment on PostgreSQL, behind one address that leads to any of them."""

from collections.abc import Iterator

import pytest

from tests.postgresql_server import new_database_url
from tests.running_service import RunningService, free_port, running_nodes
from tests.server.management.asking import EVERYTHING, Asker, new_asker
from tests.tcp_proxy import TcpProxy, tcp_proxy


@pytest.fixture(scope="module")
def balancer() -> Iterator[TcpProxy]:
    """Return what leads to a node. Its address is the issuer."""
    with tcp_proxy(free_port()) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def issuer(balancer: TcpProxy) -> str:
    """Return the issuer of the nodes."""
    return f"http://127.0.0.1:{balancer.port}"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, balancer: TcpProxy, issuer: str) -> Iterator[list[RunningService]]:
    """Return three nodes, which began at the same moment on a database without keys."""
    folder = tmp_path_factory.mktemp("nodes")
    environment = {"SENSOS_AUTH_ISSUER": issuer}
    with running_nodes(folder, new_database_url(), 3, environment=environment) as nodes:
        balancer.target_port = nodes[0].port
        yield nodes


@pytest.fixture
def operator(nodes: list[RunningService]) -> Asker:
    """Return an operator, who asks the first node."""
    return new_asker(nodes[0], EVERYTHING)
