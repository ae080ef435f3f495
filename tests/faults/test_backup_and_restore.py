"""Backup and restore, killed at every step, on a full disk, on a read-only one, and beside heavy writes."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.applications import create_application, disable_application, get_application
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.audit_export_file import ExportFile
from sensos_auth.registry.audit_verification import verify_trail
from sensos_auth.registry.backup import back_up
from sensos_auth.registry.restoring import Evidence, checked_backup, restore
from sensos_auth.registry.tenants import create_tenant
from tests.faults.killed_at_step import BACKUP, JOURNAL, REGISTRY
from tests.running_service import COMMAND, running_service, start_service

pytestmark = [pytest.mark.slow, pytest.mark.waits]

_REPOSITORY = Path(__file__).parents[2]


def _run(folder: Path, action: str) -> str:
    command = [sys.executable, "-m", "tests.faults.killed_at_step", str(folder), action]
    ended = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a registry, an older backup of it, and an export; an application was disabled since."""
    start = tmp_path / "start"
    with closing(open_registry(f"sqlite:///{start / REGISTRY}")) as registry:
        with registry.change("test:me") as change:
            tenant = create_tenant(change, name="Blue Motors")
            application = create_application(change, tenant_id=tenant.tenant_id, name="Fleet sync")
        back_up(start / REGISTRY, start / BACKUP)
        with registry.change("test:me") as change:
            disable_application(change, application.application_id)
        with registry.view() as view, ExportFile(start / JOURNAL) as export:
            export.append(list_events(view))
    (start / "application").write_text(application.application_id)
    return tmp_path


@pytest.mark.parametrize("action", ["backup", "first-backup"])
def test_z07_killed_at_any_step_a_backup_leaves_the_older_one_or_a_whole_new_one(folder: Path, action: str) -> None:
    """Never a partial file under the name, and the registry is as it was; the next one removes what was left."""
    older = checked_backup(folder / "start" / BACKUP)
    steps = int(_run(folder, action))
    new = 0
    for number in range(1, steps + 1):
        copy = folder / str(number)
        name = copy / ("first.sqlite3" if action == "first-backup" else BACKUP)
        if action == "backup" or name.exists():
            new += checked_backup(name) != older
        with closing(open_registry(f"sqlite:///{copy / REGISTRY}")) as registry, registry.view() as view:
            assert verify_trail(view).findings == []
        back_up(copy / REGISTRY, name, replace=True)
        assert [path.name for path in copy.glob(".*")] == []
    assert steps > 15
    assert 1 <= new < steps


def test_z08_killed_at_any_step_a_restore_leaves_the_old_registry_and_can_be_run_again(folder: Path) -> None:
    """The old one is in its place or beside it, and afterwards what was disabled since the backup is disabled."""
    steps = int(_run(folder, "restore"))
    application_id = (folder / "start" / "application").read_text()
    restored = 0
    for number in range(1, steps + 1):
        data = folder / str(number) / "data"
        with closing(open_registry(f"sqlite:///{data / 'registry.sqlite3'}")) as registry, registry.view() as view:
            assert get_application(view, application_id).disabled_at is not None
            is_new = list_events(view)[-1].action == "registry.restored"
        restored += is_new
        kept = list(data.glob("registry.sqlite3.before-restore-*"))
        assert kept or not is_new
        for path in kept:
            with closing(open_registry(f"sqlite:///{path}")) as registry, registry.view() as view:
                assert list_events(view)[-1].action == "application.disabled"
    assert steps > 40
    assert 1 <= restored < steps
    _run(folder, "again")
    for number in range(1, steps + 1):
        data = folder / str(number) / "data"
        with closing(open_registry(f"sqlite:///{data / 'registry.sqlite3'}")) as registry, registry.view() as view:
            assert list_events(view)[-1].action == "registry.restored"
            assert get_application(view, application_id).disabled_at is not None
        assert list(data.glob(".*")) == []


def test_z26_backups_amid_heavy_writes_restore_to_a_service_that_issues(tmp_path: Path) -> None:
    """Each backup taken beside a running service and three writers is restored, verified and probed with a token."""
    with running_service(tmp_path / "data", at_once=True) as service:
        application = service.new_application()
        ended = threading.Event()
        written: list[str] = []

        def write() -> None:
            with closing(open_registry(f"sqlite:///{service.registry_file}")) as registry:
                while not ended.is_set():
                    with registry.change("test") as change:
                        written.append(create_tenant(change, name="x" * 150).tenant_id)

        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        try:
            for number in range(3):
                command = [COMMAND, "backup", str(tmp_path / f"{number}.sqlite3")]
                subprocess.run(command, env=service.environment, check=True, capture_output=True, timeout=30)
        finally:
            ended.set()
            for writer in writers:
                writer.join()
        environment = service.environment
    assert len(written) > 20
    for number in range(3):
        place = tmp_path / f"restored {number}"
        place.mkdir(mode=0o700)
        shutil.copy(tmp_path / "data" / "master.key", place)
        settings = environment | {"SENSOS_AUTH_DATA_DIR": str(place)}
        for arguments in (
            ["restore", str(tmp_path / f"{number}.sqlite3")],
            ["issuing", "unlock", "--confirm-window"],
            ["audit", "verify"],
        ):
            subprocess.run([COMMAND, *arguments], env=settings, check=True, capture_output=True, timeout=30)
        restored = start_service(place)
        try:
            assert restored.ask(application).status_code == 200
        finally:
            restored.end(at_once=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 1 MiB; skips the test where this user may not mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a small file system")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def _command(registry: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SENSOS_")}
    environment |= {"SENSOS_AUTH_DATABASE_URL": f"sqlite:///{registry}", "SENSOS_AUTH_DATA_DIR": str(registry.parent)}
    return subprocess.run(
        [COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def _fill(disk: Path) -> Path:
    filler = disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while file.write(b"\0" * 4096):
                pass
    except OSError:
        pass
    return filler


def test_z14_on_a_full_disk_backup_restore_and_export_fail_in_one_sentence(folder: Path, small_disk: Path) -> None:
    """And leave all as it was: the older backup, the old registry, whole lines; with room again they work."""
    start = folder / "start"
    shutil.copy(start / BACKUP, small_disk / BACKUP)
    shutil.copy(start / JOURNAL, small_disk / JOURNAL)
    shutil.copytree(start / "data", small_disk / "data")
    older, journal = checked_backup(small_disk / BACKUP), (small_disk / JOURNAL).read_bytes()
    registry, on_disk = start / REGISTRY, small_disk / REGISTRY
    with closing(open_registry(f"sqlite:///{registry}")) as opened:
        for number in range(40):
            with opened.change("test:me") as change:
                create_tenant(change, name=f"{number} {'x' * 150}")
    filler = _fill(small_disk)
    backup_arguments = ["backup", str(small_disk / BACKUP), "--force"]
    restore_arguments = ["restore", str(start / BACKUP), "--journal", str(start / JOURNAL), "--force"]
    export_arguments = ["audit", "export", "--to", str(small_disk / JOURNAL)]
    for place, arguments in (
        (registry, backup_arguments),
        (on_disk, restore_arguments),
        (registry, export_arguments),
    ):
        failed = _command(place, *arguments)
        assert failed.returncode == 1, failed
        assert len(failed.stderr.splitlines()) == 1, failed.stderr
        assert failed.stderr.startswith("Error: the ")
    assert checked_backup(small_disk / BACKUP) == older
    assert (small_disk / JOURNAL).read_bytes() == journal
    filler.unlink()
    assert _command(on_disk, "audit", "verify", "--against", str(start / JOURNAL)).returncode == 0
    for place, arguments in (
        (registry, backup_arguments),
        (on_disk, restore_arguments),
        (registry, export_arguments),
    ):
        ended = _command(place, *arguments)
        assert ended.returncode == 0, ended.stderr


def test_z17_on_a_read_only_file_system_each_says_so_in_one_sentence(folder: Path, small_disk: Path) -> None:
    """Where the backup goes, and where the registry is."""
    shutil.copytree(folder / "start" / "data", small_disk / "data")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for registry, arguments in (
        (folder / "start" / REGISTRY, ["backup", str(small_disk / BACKUP)]),
        (small_disk / REGISTRY, ["restore", str(folder / "start" / BACKUP), "--force"]),
    ):
        failed = _command(registry, *arguments)
        assert (failed.returncode, len(failed.stderr.splitlines())) == (1, 1), failed.stderr
        assert failed.stderr.startswith("Error: the ")


def test_who_starts_while_a_restore_runs_never_works_on_the_old_registry(folder: Path) -> None:
    """Commands that begin before, at and after the exchange: what one of them acknowledges is in the new registry."""
    place = folder / "start" / REGISTRY
    racing: list[subprocess.Popen[str]] = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SENSOS_")}
    environment |= {"SENSOS_AUTH_DATABASE_URL": f"sqlite:///{place}"}

    def race(_: Registry) -> None:
        for number in range(8):
            command = [COMMAND, "tenants", "create", "--name", f"raced {number}"]
            racing.append(
                subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
            time.sleep(0.25)

    restored = restore(folder / "start" / BACKUP, place, Evidence(), replace=True, check=race)
    ended = [(process.wait(20), *process.communicate()) for process in racing]
    assert restored.kept is not None
    for path, is_new in ((place, True), (restored.kept, False)):
        with closing(open_registry(f"sqlite:///{path}")) as registry, registry.view() as view:
            names = {str(event.details.get("name", "")) for event in list_events(view)}
            raced = {name for name in names if name.startswith("raced")}
        assert raced == ({f"raced {number}" for number, each in enumerate(ended) if each[0] == 0} if is_new else set())
    assert 1 in {status for status, *_ in ended}  # else nobody came at the wrong moment
    assert {errors.partition(":")[0] for status, _, errors in ended if status} == {"Error"}


def test_z28_a_rolled_back_snapshot_gives_no_id_and_no_version_again(folder: Path) -> None:
    """The same backup restored twice makes other IDs and tokens each time, above every version that it ever had."""
    made = []
    for name in ("one", "two"):
        place = folder / name / "registry.sqlite3"
        ended = _command(
            place, "restore", str(folder / "start" / BACKUP), "--journal", str(folder / "start" / JOURNAL), "--json"
        )
        assert ended.returncode == 0, ended.stderr
        version = json.loads(ended.stdout)["version"]
        created = _command(place, "tenants", "create", "--name", "x", "--json")
        listed = json.loads(_command(place, "audit", "list", "--action", "tenant.created", "--json").stdout)
        assert listed["auditEvents"][-1]["version"] > version
        made.append(json.loads(created.stdout)["tenantId"])
    assert made[0] != made[1]
