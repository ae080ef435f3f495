"""Services that use sensos_auth.verifying: the probe finds nothing."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sensos_auth.probing.probe import Group
from tests.probing.probing import Prober, running_example
from tests.running_service import ENDPOINT_PATH, RunningService


def test_example_api_of_the_service_with_the_registry(service: RunningService, prober: Prober) -> None:
    """Nothing is found, by the contract as well; all is tried but scopes; a revoked token is refused."""
    report = prober.report(f"{service.base_url}{ENDPOINT_PATH}", "--with-registry", "--contract", "--fail-on", "advice")
    assert report["findings"] == []
    assert report["result"] == "passed"
    assert {each["group"] for each in report["notRun"]} <= {"scope", "form of the token"}
    assert {each["group"] for each in report["tried"]} == set(Group) - {Group.SCOPE}
    assert len(report["tried"]) > 250
    assert report["refusedAfterSeconds"] < 1.0


def test_example_api_of_the_service_with_a_token_alone(service: RunningService, prober: Prober) -> None:
    """Nothing is found; what could not be tried is named."""
    report = prober.report(f"{service.base_url}{ENDPOINT_PATH}", "--fail-on", "advice")
    assert report["findings"] == []
    assert len(report["tried"]) > 200
    not_run = {(each["group"], each["name"]): each["reason"] for each in report["notRun"]}
    assert not_run["claims", "expired an hour ago"].startswith("needs --with-registry")
    assert not_run["scope", "none"].startswith("needs --scope")
    assert not_run["revocation", "a token that was revoked"].startswith("needs --with-registry")


@pytest.mark.parametrize("example", ["fastapi_service", "litestar_service"])
def test_frameworks_with_a_scope(example: str, service: RunningService, prober: Prober, tmp_path: Path) -> None:
    """Nothing is found where a scope is demanded, in a service that hears of revocations by the feed."""
    with running_example(f"examples.frameworks.{example}", service, tmp_path / "log.txt") as base_url:
        report = prober.report(f"{base_url}/v1/vehicles", "--with-registry", "--scope", "vehicles:read", "--contract")
    assert report["findings"] == []
    assert {each["group"] for each in report["tried"]} == set(Group)
    assert report["refusedAfterSeconds"] < 2.0


def test_reports_hold_no_token_and_no_secret(service: RunningService, prober: Prober, tmp_path: Path) -> None:
    """Neither text nor JSON nor JUnit; and JUnit is well-formed, with a case for every probe."""
    junit = tmp_path / "probe.xml"
    url = f"{service.base_url}{ENDPOINT_PATH}"
    text = prober.run(url).output
    document = prober.run(url, "--json", "--junit", str(junit)).stdout
    for report in (text, document, junit.read_text()):
        assert "eyJ" not in report
        assert prober.application.secret not in report
    suites = ET.fromstring(junit.read_bytes())  # noqa: S314 - our own
    planned = json.loads(document)
    assert len(suites.findall(".//testcase")) == 1 + len(planned["tried"]) + len(planned["notRun"])
    assert len(suites.findall(".//skipped")) == len(planned["notRun"])
    assert suites.findall(".//failure") == []


def test_a_signed_token_that_is_refused_is_a_failed_control(service: RunningService, prober: Prober) -> None:
    """With the registry of another service, bad claims would be refused for their key."""
    token = service.token(prober.application)
    prober.environment["SENSOS_AUTH_DATA_DIR"] = str(service.data_folder.parent / "another")
    result = prober.run(f"{service.base_url}{ENDPOINT_PATH}", "--with-registry", "--token-file", "-", stdin=token)
    assert result.exit_code == 1
    assert "holds no active signing key" in result.output
