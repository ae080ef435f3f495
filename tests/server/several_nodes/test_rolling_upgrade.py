"""A rolling upgrade of a whole deployment, and back: nodes of two releases serve, and no request is refused."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.later_release import EXPANDS, HEAD, later_release
from tests.postgresql_server import new_database_url
from tests.running_service import TOKEN_PATH, ExampleApplication, RunningService, running_nodes, start_service
from tests.server.several_nodes.asking_nodes import assert_nothing_went_wrong, command, issuing, verifying

_VARIABLES = ("SENSOS_AUTH_DATABASE_URL", "SENSOS_AUTH_ISSUER", "SENSOS_AUTH_MASTER_KEY")

pytestmark = [pytest.mark.slow, pytest.mark.waits, pytest.mark.timeout(180)]


@dataclass
class Balancer:
    """Asks the nodes in turn for tokens, all the time, and shows each token to all of them."""

    nodes: list[RunningService]
    application: ExampleApplication
    refusals: list[str] = field(default_factory=list)
    asked: int = 0
    failure: BaseException | None = None

    def ask_until(self, ended: threading.Event) -> None:
        """Go on until the event."""
        try:
            with httpx2.Client(
                trust_env=False, timeout=10.0, limits=httpx2.Limits(max_keepalive_connections=0)
            ) as client:
                while not ended.is_set():
                    for node in list(self.nodes):
                        self._ask(client, node)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.failure = error

    def _ask(self, client: httpx2.Client, node: RunningService) -> None:
        answer = client.post(node.base_url + TOKEN_PATH, json=self.application.credentials())
        self._count(answer)
        if answer.status_code != httpx2.codes.OK:
            return
        authorization = {"Authorization": f"Bearer {answer.json()['accessToken']}"}
        for each in list(self.nodes):
            self._count(client.get(f"{each.base_url}/v1/verify", headers=authorization))
        self.asked += 1

    def _count(self, answer: httpx2.Response) -> None:
        if answer.status_code != httpx2.codes.OK:
            self.refusals.append(f"{self.asked}: {answer.request.url} {answer.status_code} {answer.text}")

    def wait_for_more(self) -> None:
        """Wait until it has been round a few times."""
        enough, give_up_at = self.asked + 3 * len(self.nodes), time.monotonic() + 30
        while self.asked < enough:
            assert self.failure is None
            assert time.monotonic() < give_up_at
            time.sleep(0.02)


@contextmanager
def _balanced(nodes: list[RunningService]) -> Iterator[Balancer]:
    """Send traffic to the nodes during the block, and check that all of it was answered well."""
    balancer, ended = Balancer(nodes, nodes[0].new_application()), threading.Event()
    thread = threading.Thread(target=balancer.ask_until, args=(ended,))
    thread.start()
    try:
        yield balancer
    finally:
        ended.set()
        thread.join(timeout=30)
    assert balancer.failure is None
    assert balancer.refusals == []


def _replace(balancer: Balancer, old: RunningService, folder: Path, release: dict[str, str]) -> RunningService:
    """Start a node of the release, let it take its share, and end the old one, as an operator does."""
    settings = {name: old.environment[name] for name in _VARIABLES}
    node = start_service(folder, environment=settings | release)
    balancer.nodes.append(node)
    balancer.wait_for_more()
    balancer.nodes.remove(old)
    balancer.wait_for_more()
    assert_nothing_went_wrong([old])
    assert old.end() == 0
    return node


def _taken_away_through(taking: RunningService, nodes: list[RunningService]) -> None:
    """Disable an application by a command of one node's release: no node issues for it or accepts its token."""
    application = taking.new_application()
    tokens = [node.token(application) for node in nodes]
    command(taking, "applications", "disable", application.application_id)
    for node in nodes:
        assert issuing(node, application) == 401
        assert [verifying(node, token) for token in tokens] == [401] * len(tokens)


def test_z50_no_request_fails_from_one_release_to_the_next_and_back(tmp_path: Path) -> None:
    """The database first, then node by node; then back to nodes of this release, on the newer database."""
    url = new_database_url()
    with running_nodes(tmp_path / "old", url, 2) as old:
        following = later_release(
            tmp_path / "release", EXPANDS, **{name: old[0].environment[name] for name in _VARIABLES}
        )
        later = {"PYTHONPATH": following.environment["PYTHONPATH"]}
        with _balanced(list(old)) as balancer:
            balancer.wait_for_more()
            refused = following.run("tenants", "list")
            assert (refused.returncode, "run sensos-auth db upgrade" in refused.stderr) == (1, True)
            assert following.print_json("db", "upgrade")["schema"] == HEAD + 1
            balancer.wait_for_more()
            first = _replace(balancer, old[1], tmp_path / "first", later)
            _taken_away_through(first, [old[0], first])
            _taken_away_through(old[0], [old[0], first])
            second = _replace(balancer, old[0], tmp_path / "second", later)
            _taken_away_through(second, [first, second])
            back = _replace(balancer, first, tmp_path / "back", {})
            _taken_away_through(back, [back, second])
            _taken_away_through(second, [back, second])
        with closing(back.client), closing(second.client):
            assert_nothing_went_wrong([back, second])
            for node in (back, second):
                assert node.end() == 0
