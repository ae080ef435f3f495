"""``--wait`` end to end: verifiers that follow the feed of a running service, and the command that takes away."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensos_auth.verifying.own_token import VerifierCredentials
from sensos_auth.verifying.remote_revocations import RemoteRevocations
from tests.postgresql_server import new_database_url
from tests.running_service import COMMAND, RunningService, running_service

pytestmark = pytest.mark.engines("sqlite", "postgresql")


def command(service: RunningService, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command beside the service."""
    return subprocess.run(
        [COMMAND, *arguments], env=service.environment, capture_output=True, text=True, check=False, timeout=30
    )


@pytest.fixture
def service(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RunningService]:
    """Return a service of this test's own, whose verifiers are these."""
    environment = {"SENSOS_AUTH_DATABASE_URL": new_database_url()} if request.param == "postgresql" else {}
    with running_service(tmp_path / "data", environment=environment, at_once=True) as running:
        yield running


@pytest.fixture
def verifiers(service: RunningService) -> Iterator[list[RemoteRevocations]]:
    """Return five verifiers that follow the feed and report to it."""
    own = service.new_application(scope="auth:verifier")
    credentials = VerifierCredentials(own.tenant_id, own.application_id, own.secret)
    made = [RemoteRevocations(service.base_url, credentials=credentials, name=f"real-{number}") for number in range(5)]
    for each in made:
        each.wait_until_ready()
    yield made
    for each in made:
        each.close()


def test_n11_command_returns_when_every_verifier_refuses(
    service: RunningService, verifiers: list[RemoteRevocations]
) -> None:
    """It says how many; by then each of them knows, and the list says that they have confirmed."""
    give_up_at = time.monotonic() + 5
    listed: list[str] = []
    while len(listed) < len(verifiers) and time.monotonic() < give_up_at:
        rows = json.loads(command(service, "verifiers", "list", "--json", "--limit", "1000").stdout)["verifiers"]
        listed = [row["name"] for row in rows if row["name"].startswith("real-") and row["live"]]
    before = [each.generation() for each in verifiers]
    application = service.new_application()
    result = command(service, "applications", "disable", application.application_id, "--wait", "--json")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)["verifiers"]
    assert document["live"] == document["confirmed"] == len(verifiers)
    assert all(each.generation() != known for each, known in zip(verifiers, before, strict=True))
    rows = json.loads(command(service, "verifiers", "list", "--json", "--limit", "1000").stdout)["verifiers"]
    assert {row["state"] for row in rows if row["name"].startswith("real-")} == {"confirmed"}
