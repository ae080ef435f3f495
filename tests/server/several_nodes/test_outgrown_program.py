"""A service that runs on while a newer release upgrades its registry to what the running one must not work on."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensos_auth.registry.lease import LEASE
from tests.later_release import CONTRACTS, EXPANDS, HEAD, LaterRelease, later_release
from tests.postgresql_server import new_database_url
from tests.running_service import JWKS_PATH, RunningService, running_nodes, running_service
from tests.server.several_nodes.asking_nodes import issuing, verifying

_VARIABLES = ("SENSOS_AUTH_DATABASE_URL", "SENSOS_AUTH_DATA_DIR", "SENSOS_AUTH_ISSUER", "SENSOS_AUTH_MASTER_KEY")
_FEED_PATH = "/v1/revocations"

pytestmark = [pytest.mark.slow, pytest.mark.waits, pytest.mark.timeout(120)]


@pytest.fixture(params=["sqlite", "postgresql"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningService]:
    """Return a service of this release."""
    if request.param == "sqlite":
        with running_service(tmp_path / "data", at_once=True) as service:
            yield service
    else:
        with running_nodes(tmp_path / "data", new_database_url(), 1) as nodes:
            yield nodes[0]


def _following(service: RunningService, folder: Path, *scripts: str) -> LaterRelease:
    settings = {name: service.environment[name] for name in _VARIABLES if name in service.environment}
    return later_release(folder, *scripts, **settings)


def test_z50_service_that_has_become_too_old_answers_nothing_and_says_what_to_do(
    running: RunningService, tmp_path: Path
) -> None:
    """No token, no verdict, no keys and no page of the feed: those of the newer release have them. It is alive."""
    application = running.new_application()
    token = running.token(application)
    assert verifying(running, token) == 200
    following = _following(running, tmp_path / "release", EXPANDS, CONTRACTS)
    assert following.print_json("db", "upgrade")["schema"] == HEAD + 2
    paths = ("/readyz", JWKS_PATH, _FEED_PATH)
    running.wait_for_line(lambda _: running.client.get("/readyz").status_code == 503)
    time.sleep(LEASE)
    assert issuing(running, application) == 503
    assert verifying(running, token) == 503
    assert {running.client.get(path).status_code for path in paths} == {503}
    assert running.client.get("/healthz").status_code == 200
    line = running.wait_for_line(lambda line: "too old" in str(line.get("reason")))
    assert "start the newer release in its place" in line["reason"]
    assert not [line for line in running.log_lines() if line["event"] == "unexpected exception"]
    assert following.print_json("tenants", "create", "--name", "new")["name"] == "new"
