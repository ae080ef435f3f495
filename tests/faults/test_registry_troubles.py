"""A running service whose registry is in trouble: full disk, locks, a lost log."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw
import pytest

from tests.faults.traffic import connect, read_answer, token_request, token_traffic
from tests.running_service import COMMAND, ExampleApplication, RunningService, free_port, running_service, start_service

pytestmark = pytest.mark.slow


def change(service: RunningService) -> "subprocess.CompletedProcess[str]":
    """Run a command that writes."""
    command = [COMMAND, "tenants", "create", "--name", "X" * 100]
    return subprocess.run(command, env=service.environment, capture_output=True, text=True, timeout=20, check=False)


def is_sound(service: RunningService) -> bool:
    """Let SQLite check the registry."""
    with closing(apsw.Connection(str(service.registry_file))) as connection:
        return list(connection.execute("PRAGMA integrity_check")) == [("ok",)]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a file system of 2 MiB; skips the test where this user may not."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.waits
def test_z14_z15_with_a_full_disk_tokens_are_still_issued_and_changes_refused(tmp_path: Path) -> None:
    """Registry and log on one full disk: 200 for tokens, one sentence for changes; space comes back, and so do they."""
    with small_disk(tmp_path / "disk") as disk, running_service(disk / "data", workers=2, at_once=True) as service:
        application = service.new_application()
        acknowledged = 0
        with (disk / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"\0" * 4096)
            except OSError:
                pass
        refused = change(service)
        while refused.returncode == 0 and acknowledged < 30:  # the log has some room left
            acknowledged += 1
            refused = change(service)
        assert (refused.returncode, refused.stderr) == (1, "Error: the registry's disk is full\n")
        assert {service.ask(application).status_code for _ in range(40)} == {200}
        assert service.client.get("/readyz").status_code == 200
        (disk / "filler").unlink()
        assert change(service).returncode == 0
        assert service.ask(application).status_code == 200
        assert is_sound(service)
        with service.registry.view() as view:
            named = view.connection.execute("SELECT count(*) FROM tenants WHERE name LIKE 'XXX%'").fetchone()
        assert named == (acknowledged + 1,)


@pytest.mark.waits
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace, which makes system calls fail, is not installed")
def test_z16_a_change_whose_sync_fails_is_not_acknowledged(tmp_path: Path) -> None:
    """EIO from fdatasync: one sentence and status 1, nothing is there afterwards, and the service goes on."""
    with running_service(tmp_path / "data", at_once=True) as service:
        application = service.new_application()
        failing = ["strace", "-f", "-o", os.devnull, "-e", "trace=fsync,fdatasync"]
        failing += ["-e", "inject=fsync,fdatasync:error=EIO", COMMAND, "tenants", "create", "--name", "Lost"]
        refused = subprocess.run(
            failing, env=service.environment, capture_output=True, text=True, timeout=30, check=False
        )
        assert refused.returncode == 1
        assert refused.stderr.endswith("cannot be read or written\n")
        assert len(refused.stderr.splitlines()) == 1
        with service.registry.view() as view:
            assert view.connection.execute("SELECT count(*) FROM tenants WHERE name = 'Lost'").fetchone() == (0,)
        assert service.ask(application).status_code == 200
        assert change(service).returncode == 0


@pytest.mark.waits
def test_z17_on_a_read_only_file_system_the_start_is_refused(tmp_path: Path) -> None:
    """Status 1 and one sentence; nothing can be lost by it."""
    with small_disk(tmp_path / "disk") as disk:
        with running_service(disk / "data") as service:
            environment = service.environment
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        command = [COMMAND, "serve", "--port", str(free_port())]
        refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
        assert refused.returncode == 1
        assert refused.stderr.startswith("Error: the registry file")
        assert len(refused.stderr.splitlines()) == 1


def test_z18_another_writer_does_not_hold_up_tokens(tmp_path: Path) -> None:
    """A program that holds the write lock: tokens as ever, a change is refused after 2 s, and works afterwards."""
    with running_service(tmp_path / "data", workers=2, at_once=True) as service:
        application = service.new_application()
        with closing(apsw.Connection(str(service.registry_file))) as other:
            other.execute("BEGIN IMMEDIATE")
            with token_traffic(service.port, [application], kept=4) as traffic:
                began = time.monotonic()
                refused = change(service)
                took = time.monotonic() - began
            other.execute("ROLLBACK")
        assert (refused.returncode, refused.stderr.startswith("Error: the registry is busy")) == (1, True)
        assert 2 <= took < 4.5
        assert {asked.status for asked in traffic.asked} == {200}
        assert max(asked.seconds for asked in traffic.asked) < 1
        assert change(service).returncode == 0


@pytest.mark.waits
def test_z18_while_nobody_may_read_the_answer_is_503_and_soon_over(tmp_path: Path) -> None:
    """A program that keeps even readers out, as none should: SQLite gives up after 10 s, 503; then 200 again."""
    with running_service(tmp_path / "data", at_once=True) as service:
        application = service.new_application()
        assert service.ask(application).status_code == 200
        with _readers_kept_out(service.registry_file), closing(connect(service.port)) as connection:
            connection.sendall(token_request(application))
            status, body, _ = read_answer(connection)
        assert status == 503
        assert json.loads(body)["error"] == "Service Unavailable"
        assert service.ask(application).status_code == 200
        line = service.wait_for_line(lambda line: line["event"] == "registry unavailable")
        assert "busy" in line["reason"]


@contextmanager
def _readers_kept_out(registry_file: Path) -> Iterator[None]:
    # The locks of SQLite's readers are bytes 123 to 127 of the -shm file (sqlite.org/walformat.html section 2.3).
    program = (
        "import fcntl, sys, time; file = open(sys.argv[1], 'r+b');"
        "fcntl.lockf(file, fcntl.LOCK_EX, 5, 123); print('locked', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, f"{registry_file}-shm"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == b"locked\n"
            yield
        finally:
            other.kill()


@pytest.fixture(scope="module")
def killed_service(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExampleApplication]:
    """Return the data folder of a service that was killed, with its latest writes in the log only, and one of them."""
    folder = tmp_path_factory.mktemp("killed")
    service = start_service(folder / "data")
    application = service.new_application()
    os.killpg(service.process.pid, signal.SIGKILL)
    service.process.wait()
    shutil.copytree(service.data_folder, folder / "copy")  # while our own connection keeps the log as it is
    service.end()
    (folder / "copy" / "service.log").unlink()
    assert (folder / "copy" / "registry.sqlite3-wal").stat().st_size > 0
    return folder / "copy", application


def _without_index(folder: Path) -> None:
    (folder / "registry.sqlite3-shm").unlink()


def _nonsense_in_index(folder: Path) -> None:
    (folder / "registry.sqlite3-shm").write_bytes(os.urandom(32_768))


def _torn_frame(folder: Path) -> None:
    with (folder / "registry.sqlite3-wal").open("ab") as log:
        log.write(os.urandom(2_000))


_DAMAGES = {
    "z22_index_of_the_log_lost": _without_index,
    "z21_index_of_the_log_damaged": _nonsense_in_index,
    "z21_log_torn_at_its_end": _torn_frame,
}


@pytest.mark.waits
@pytest.mark.parametrize("damage", _DAMAGES)
def test_what_a_crash_leaves_of_the_log_is_recovered(
    killed_service: tuple[Path, ExampleApplication], tmp_path: Path, damage: str
) -> None:
    """-shm is made again, a torn frame at the end of -wal is as if never written: what was committed is there."""
    folder, application = killed_service
    shutil.copytree(folder, tmp_path / "data")
    _DAMAGES[damage](tmp_path / "data")
    with running_service(tmp_path / "data", at_once=True) as service:
        assert service.ask(application).status_code == 200
        assert is_sound(service)
