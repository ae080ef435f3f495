"""``backup``, ``restore`` and ``issuing unlock`` beside a running service, as operators use them."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sensos_auth.registry import open_registry
from sensos_auth.registry.applications import disable_application
from sensos_auth.verifying import Verifier
from tests.cli.command_line import CommandLine
from tests.failover import Failover
from tests.postgresql_server import new_database_url
from tests.registries import Clock, Place, _end_postgresql, clock
from tests.running_service import (
    COMMAND,
    ENDPOINT_PATH,
    RunningService,
    running_service,
    start_service,
)

__all__ = ["_end_postgresql", "clock"]


def _run(service: RunningService, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [COMMAND, *arguments]
    return subprocess.run(command, env=service.environment, capture_output=True, text=True, timeout=30, check=False)


def _run_json(service: RunningService, *arguments: str) -> Any:  # noqa: ANN401 - any JSON document
    ended = _run(service, *arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.slow
@pytest.mark.waits
def test_z27_a_restored_service_issues_nothing_to_what_was_disabled_since(tmp_path: Path) -> None:
    """Backed up and followed by an export while it runs; restored, started again, probed with tokens."""
    service = start_service(tmp_path / "data")
    good, disabled = service.new_application(), service.new_application()
    backup, journal = tmp_path / "b.sqlite3", tmp_path / "audit.jsonl"
    made = _run_json(service, "backup", str(backup))
    assert (made["bytes"], backup.stat().st_mode & 0o777) == (backup.stat().st_size, 0o600)
    token = service.token(disabled)
    lost = service.new_application()
    lost_token = service.token(lost)
    with service.registry.change("test") as change:
        disable_application(change, disabled.application_id)
    assert _run(service, "audit", "export", "--to", str(journal)).returncode == 0

    arguments = ["restore", str(backup), "--journal", str(journal), "--force"]
    in_use = _run(service, *arguments)
    assert (in_use.returncode, "end the service" in in_use.stderr) == (1, True)
    assert service.ask(good).status_code == 200
    service.end(at_once=True)
    assert _run(service, *arguments[:-1]).returncode == 1
    restored = _run_json(service, *arguments)
    assert (restored["issuing"], restored["tamperedEvents"], restored["lost"]) == ("unlocked", 0, 3)
    assert Path(restored["oldRegistry"]).exists()

    again = start_service(tmp_path / "data", port=service.port)
    try:
        assert [again.ask(each).status_code for each in (good, disabled, lost)] == [200, 401, 401]
        for shown, status in ((again.token(good), 200), (token, 401), (lost_token, 401)):
            answer = again.client.get(ENDPOINT_PATH, headers={"Authorization": f"Bearer {shown}"})
            assert answer.status_code == status
        assert _run(again, "audit", "verify", "--against", str(journal)).returncode == 0
        assert _run(again, "audit", "export", "--to", str(journal)).returncode == 0
    finally:
        again.end(at_once=True)


@pytest.mark.slow
@pytest.mark.waits
def test_a_service_that_was_restored_without_evidence_issues_nothing_until_unlocked(tmp_path: Path) -> None:
    """503 with Retry-After, not ready, the reason in the log and in doctor; the JWKS stays; unlocked while it runs."""
    service = start_service(tmp_path / "data")
    application = service.new_application()
    token = service.token(application)
    backup = tmp_path / "b.sqlite3"
    _run_json(service, "backup", str(backup))
    service.end(at_once=True)
    ended = _run(service, "restore", str(backup), "--force")
    assert ended.returncode == 0, ended.stderr
    assert "Issuing is locked: nobody knows what was taken away from " in ended.stderr
    again = _start_unready(tmp_path / "data", service)
    try:
        refused = again.ask(application)
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        assert again.client.get("/readyz").status_code == 503
        reason = again.wait_for_line(lambda line: line["event"] == "registry unavailable")["reason"]
        assert reason.startswith("issuing is locked since a backup was restored")
        answer = again.client.get(ENDPOINT_PATH, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        assert again.ask(application, applicationSecret=application.secret[:-1] + "x").status_code == 401
        doctor = _run(again, "doctor")
        assert (doctor.returncode, "issuing unlock --confirm-window" in doctor.stdout) == (1, True)
        shown = _run(again, "issuing", "unlock", "--json")
        assert (shown.returncode, json.loads(shown.stdout)["state"]) == (1, "locked")
        assert again.ask(application).status_code == 503
        assert _run_json(again, "issuing", "unlock", "--confirm-window")["state"] == "unlocked"
        assert again.ask(application).status_code == 200
        assert again.client.get("/readyz").status_code == 200
        assert _run(again, "issuing", "unlock").returncode == 1
    finally:
        again.end(at_once=True)


def _start_unready(data_folder: Path, before: RunningService) -> RunningService:
    """Start the service as start_service does, but do not wait until it is ready, which it never is."""
    with (data_folder / "service.log").open("ab") as log:
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", str(before.port), "--workers", "1"],
            env=before.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    registry = open_registry(f"sqlite:///{before.registry_file}")
    service = RunningService(
        before.port, 1, data_folder, before.environment, process, data_folder / "service.log", registry
    )
    with pytest.raises(AssertionError, match="not ready"):
        service.wait_until_ready(3)
    return service


def test_a_kept_feed_is_taken_as_evidence(tmp_path: Path) -> None:
    """The file that a verifier keeps, for this issuer only; anything else is refused."""
    service = start_service(tmp_path / "data")
    application = service.new_application()
    backup, state = tmp_path / "b.sqlite3", tmp_path / "state"
    _run_json(service, "backup", str(backup))
    with service.registry.change("test") as change:
        disable_application(change, application.application_id)
    state.mkdir(mode=0o700)
    verifier = Verifier.connect(service.base_url, audience="sensos-api", state_folder=state)
    verifier.wait_until_ready()
    verifier.close()
    (kept,) = state.glob("revocations-*")
    service.end(at_once=True)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(kept.read_bytes()[:-1] + b"x")
    assert _run(service, "restore", str(backup), "--feed", str(damaged), "--force").returncode == 2
    service.environment["SENSOS_AUTH_ISSUER"] = "https://other.example.com"
    assert _run(service, "restore", str(backup), "--feed", str(kept), "--force").returncode == 2
    service.environment["SENSOS_AUTH_ISSUER"] = service.base_url
    restored = _run_json(service, "restore", str(backup), "--feed", str(kept), "--force")
    assert (restored["takenAwayByFeed"], restored["issuing"]) == (1, "locked")


@pytest.mark.parametrize("command", [["backup", "b.sqlite3"], ["restore", "pyproject.toml"]])
def test_on_postgresql_its_own_backups_are_named(command_line: CommandLine, command: list[str]) -> None:
    """pg_basebackup and the archive of the WAL, and the journal that belongs to it."""
    command_line.environment["SENSOS_AUTH_DATABASE_URL"] = "postgresql://localhost/sensos"
    refused = command_line.run(*command)
    assert refused.exit_code == 1
    for named in ("pg_basebackup", "audit export", "restore --in-place"):
        assert named in refused.stderr


def test_a_registry_on_postgresql_is_restored_in_place(command_line: CommandLine, clock: Clock, tmp_path: Path) -> None:
    """PostgreSQL has gone back to a point in time: with the journal, who was disabled since is disabled again."""
    failover = Failover(Place("postgresql", new_database_url(), clock))
    journal = str(tmp_path / "audit.jsonl")
    command_line.environment["SENSOS_AUTH_DATABASE_URL"] = failover.place.address
    assert command_line.run("db", "upgrade").exit_code == 0
    application_id = command_line.new_application()["applicationId"]
    failover.copy()
    command_line.run("applications", "disable", application_id)
    assert command_line.run("audit", "export", "--to", journal).exit_code == 0
    failover.take_over()
    failover.place.close()

    restored = command_line.print_json("restore", "--in-place", "--journal", journal)
    assert (restored["issuing"], restored["replayedEvents"], restored["oldRegistry"]) == ("unlocked", 1, None)
    (application,) = command_line.print_json("applications", "list")["applications"]
    assert application["state"] == "disabled"
    assert command_line.run("audit", "export", "--to", journal).exit_code == 0
    assert command_line.run("audit", "verify", "--against", journal).exit_code == 0
    again = command_line.run("restore", "--in-place", "--json")
    assert json.loads(again.stdout)["issuing"] == "locked"
    assert "sensos-auth issuing unlock" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ([], 2, "Missing argument 'FILE'"),
        (["--in-place", "pyproject.toml"], 2, "--in-place takes no FILE"),
        (["--in-place", "--force"], 2, "--in-place takes no FILE"),
        (["--in-place"], 1, "--in-place is for PostgreSQL: name the backup file"),
    ],
)
def test_in_place_and_a_file_exclude_each_other(
    command_line: CommandLine, arguments: list[str], status: int, says: str
) -> None:
    """On SQLite a file takes the registry's place; on PostgreSQL there is none."""
    refused = command_line.run("restore", *arguments)
    assert (refused.exit_code, says in refused.stderr) == (status, True)
    assert not command_line.data_folder.exists()


def test_a_wrong_master_key_is_found_before_anything_is_put_in_place(command_line: CommandLine, tmp_path: Path) -> None:
    """And a file that is no backup, too."""
    with running_service(command_line.data_folder, at_once=True):
        backup = tmp_path / "b.sqlite3"
        assert command_line.run("backup", str(backup)).exit_code == 0
    command_line.new_tenant()
    trail = command_line.audit_trail()
    command_line.master_key_file.write_text("x" * 43)
    refused = command_line.run("restore", str(backup), "--force")
    assert (refused.exit_code, "master key" in refused.stderr) == (1, True)
    refused = command_line.run("restore", str(command_line.registry_file), "--force")
    assert (refused.exit_code, "no backup that was completed" in refused.stderr) == (1, True)
    assert command_line.audit_trail() == trail
