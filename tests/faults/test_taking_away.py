"""Disabled is disabled: no token comes from a request sent after the call that takes something away has returned."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.issuing.key_rotation import revoke
from sensos_auth.registry.applications import disable_application, enable_application
from sensos_auth.registry.secrets import create_secret, revoke_secret
from sensos_auth.registry.tenants import disable_tenant, enable_tenant
from tests.faults.traffic import Asked, Traffic, token_traffic
from tests.postgresql_server import new_database_url
from tests.running_service import COMMAND, ExampleApplication, RunningService, running_service

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite", "postgresql")]

_SECONDS = float(os.environ.get("SENSOS_AUTH_TAKING_AWAY_SECONDS", "1.5"))
_APPLICATIONS = 6


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[RunningService]:
    """Return a service of two workers, each of which holds credentials of its own on PostgreSQL."""
    environment = {"SENSOS_AUTH_DATABASE_URL": new_database_url()} if request.param == "postgresql" else {}
    folder = tmp_path_factory.mktemp("service") / "data"
    with running_service(folder, workers=2, environment=environment, at_once=True) as service:
        yield service


@pytest.fixture
def applications(service: RunningService) -> list[ExampleApplication]:
    """Return applications of one tenant each."""
    return [service.new_application() for _ in range(_APPLICATIONS)]


def _rounds(traffic: Traffic, applications: list[ExampleApplication], take_away: Callable[[int], None]) -> int:
    """Take away in turn while the traffic goes on; check what was sent after each call returned. Return the rounds."""
    give_up_at = time.monotonic() + _SECONDS
    number = 0
    while time.monotonic() < give_up_at:
        turn = number % len(applications)
        secret_id = applications[turn].secret_id
        traffic.wait_until(
            lambda asked, secret_id=secret_id: any(  # type: ignore[misc]
                one.secret_id == secret_id and one.status == 200 for one in asked[-200:]
            )
        )
        take_away(turn)
        returned_at = time.monotonic()
        sent_after = _wait_for_requests(traffic, secret_id, returned_at)
        assert {asked.status for asked in sent_after} == {401}, f"round {number}"
        number += 1
    assert traffic.unanswered() == []
    return number


def _report(kind: str, rounds: int, traffic: Traffic, service: RunningService) -> None:
    # On PostgreSQL each takes the time to settle, a key three times.
    assert rounds > (1 if service.registry.database.settles_in else 10)
    sys.stdout.write(f"\n{kind}: {rounds} rounds, {len(traffic.asked)} requests, {traffic.issued()} tokens\n")


def _wait_for_requests(traffic: Traffic, secret_id: str, since: float) -> list[Asked]:
    give_up_at = time.monotonic() + 10
    start = max(0, len(traffic.asked) - 50)
    while True:
        found = [asked for asked in traffic.asked[start:] if asked.secret_id == secret_id and asked.sent_at > since]
        if len(found) >= 6:
            return found
        assert time.monotonic() < give_up_at
        time.sleep(0.0005)


@pytest.mark.parametrize("kind", ["application", "tenant"])
def test_z03_no_token_comes_from_a_request_sent_after_disable_returned(
    service: RunningService, applications: list[ExampleApplication], kind: str
) -> None:
    """Round after round, others asking meanwhile; enabled again, the application gets tokens again."""
    disable, enable = (
        (disable_application, enable_application) if kind == "application" else (disable_tenant, enable_tenant)
    )
    subjects = [one.application_id if kind == "application" else one.tenant_id for one in applications]
    disabled: list[str] = []

    def take_away(turn: int) -> None:
        while disabled:
            with service.registry.change("test") as change:
                enable(change, disabled.pop())
        disabled.append(subjects[turn])
        with service.registry.change("test") as change:
            disable(change, subjects[turn])

    with token_traffic(service.port, applications, kept=6) as traffic:
        rounds = _rounds(traffic, applications, take_away)
    _report(kind, rounds, traffic, service)


def test_z02_no_token_comes_from_a_request_sent_after_revoke_returned(
    service: RunningService, applications: list[ExampleApplication]
) -> None:
    """Secrets come and go, round after round; the new ones get tokens."""
    revoked: list[int] = []

    def take_away(turn: int) -> None:
        while revoked:
            old = applications[revoked[0]]
            with service.registry.change("test") as change:
                secret, shown = create_secret(change, application_id=old.application_id)
            applications[revoked.pop()] = replace(old, secret_id=secret.secret_id, secret=shown)
        revoked.append(turn)
        with service.registry.change("test") as change:
            revoke_secret(change, applications[turn].secret_id)

    with token_traffic(service.port, applications, kept=6) as traffic:
        rounds = _rounds(traffic, applications, take_away)
    _report("secret", rounds, traffic, service)


def test_z05_no_token_is_signed_with_a_key_by_a_request_sent_after_its_revocation_returned(
    service: RunningService, applications: list[ExampleApplication]
) -> None:
    """Every worker signs with the successor at once, and nobody is refused meanwhile."""
    master_key = obtain_master_key(service.registry, service.environment)
    revoked: dict[str, float] = {}
    with token_traffic(service.port, applications, kept=6) as traffic:
        give_up_at = time.monotonic() + _SECONDS
        while time.monotonic() < give_up_at:
            answered = len(traffic.asked)
            traffic.wait_until(lambda asked, least=answered + 12: len(asked) >= least)  # type: ignore[misc]
            kid = traffic.asked[-1].kid
            if kid not in revoked:
                revoke(service.registry, master_key, "ES256", kid, actor="test")
                revoked[kid] = time.monotonic()
    assert {asked.status for asked in traffic.asked} == {200}
    for asked in traffic.asked:
        assert asked.sent_at < revoked.get(asked.kid, asked.sent_at + 1)
    _report("signing key", len(revoked), traffic, service)


def test_the_command_line_keeps_the_same_promise(
    service: RunningService, applications: list[ExampleApplication]
) -> None:
    """``applications disable``, ``tenants disable``, ``secrets revoke`` as operators run them."""
    with token_traffic(service.port, applications, kept=4) as traffic:
        for turn, arguments in enumerate(
            (
                ("applications", "disable", applications[0].application_id),
                ("tenants", "disable", applications[1].tenant_id),
                ("secrets", "revoke", applications[2].secret_id),
            )
        ):
            subprocess.run([COMMAND, *arguments], env=service.environment, check=True, capture_output=True, timeout=30)
            returned_at = time.monotonic()
            sent_after = _wait_for_requests(traffic, applications[turn].secret_id, returned_at)
            assert {asked.status for asked in sent_after} == {401}
