"""What ``serve`` does when it can't start as it should: status 1, one sentence on standard error, nothing made."""

import base64
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from sensos_auth.registry import open_registry
from sensos_auth.registry.migrating import known_migrations
from tests.running_service import COMMAND, free_port, running_service

pytestmark = [pytest.mark.slow, pytest.mark.waits]

_KILLED_STARTS = int(os.environ.get("SENSOS_AUTH_KILLED_STARTS", "2"))
_OTHER_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()


@pytest.fixture(scope="module")
def ended_service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of a service that has run and was ended."""
    folder = tmp_path_factory.mktemp("ended") / "data"
    with running_service(folder, workers=2) as service:
        service.new_application()
    (folder / "service.log").unlink()
    return folder


@pytest.fixture
def folder(ended_service: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(ended_service, tmp_path / "data"))


def serve(
    folder: Path, *, port: int = 0, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run ``serve``, which must refuse."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SENSOS_")}
    return subprocess.run(
        [COMMAND, "serve", "--port", str(port or free_port()), "--workers", "2"],
        env=ours | {"SENSOS_AUTH_DATA_DIR": str(folder)} | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )


def sentence(refused: "subprocess.CompletedProcess[str]") -> str:
    """Return the one sentence of a refusal."""
    assert (refused.returncode, refused.stdout) == (1, "")
    lines = refused.stderr.splitlines()
    assert len(lines) == 1, refused.stderr
    assert "Traceback" not in lines[0]
    return lines[0]


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _link(folder: Path) -> None:
    (folder / "registry.sqlite3").rename(folder / "other")
    (folder / "registry.sqlite3").symlink_to(folder / "other")


def _truncate(folder: Path) -> None:
    (folder / "master.key").write_text((folder / "master.key").read_text()[:20])


_DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "z23_registry_open_to_others": (lambda folder: (folder / "registry.sqlite3").chmod(0o644), "run chmod 600"),
    "z23_registry_is_a_symbolic_link": (_link, "is a symbolic link"),
    "z25_master_key_missing": (lambda folder: (folder / "master.key").unlink(), "is missing"),
    "z25_master_key_wrong": (lambda folder: (folder / "master.key").write_text(_OTHER_KEY), "does not open"),
    "z25_master_key_truncated": (_truncate, "does not hold a master key"),
    "z25_master_key_empty": (lambda folder: (folder / "master.key").write_text(""), "does not hold a master key"),
    "z25_master_key_open_to_others": (lambda folder: (folder / "master.key").chmod(0o640), "run chmod 600"),
    "z21_registry_header_damaged": (
        lambda folder: (folder / "registry.sqlite3").write_bytes(
            b"\0" * 100 + (folder / "registry.sqlite3").read_bytes()[100:]
        ),
        "damaged or no SQLite database",
    ),
    "z21_registry_cut_in_half": (
        lambda folder: os.truncate(folder / "registry.sqlite3", (folder / "registry.sqlite3").stat().st_size // 2),
        "damaged or no SQLite database",
    ),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_damaged_instance_is_refused_and_left_as_it_is(folder: Path, damage: str) -> None:
    """Nothing is repaired, remade or made private behind the operator's back."""
    do_damage, expected = _DAMAGES[damage]
    do_damage(folder)
    before, modes = _contents(folder), {path.name: path.lstat().st_mode for path in folder.iterdir()}
    assert expected in sentence(serve(folder))
    assert _contents(folder) == before
    assert {path.name: path.lstat().st_mode for path in folder.iterdir()} == modes


def test_z22_a_service_that_was_ended_leaves_one_file(ended_service: Path) -> None:
    """Nothing is left in a log: the registry can be copied, and a lost -wal loses nothing."""
    assert {path.name for path in ended_service.iterdir()} == {"registry.sqlite3", "master.key"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SENSOS_AUTH_ISSUER", "auth.example.com"),
        ("SENSOS_AUTH_AUDIENCE", ""),
        ("SENSOS_AUTH_TOKEN_LIFETIME", "86401"),
        ("SENSOS_AUTH_TOKEN_LIFETIME", "1d"),
        ("SENSOS_AUTH_SIGNING_ALGORITHM", "HS256"),
        ("SENSOS_AUTH_DATABASE_URL", "mysql://x"),
        ("SENSOS_AUTH_MASTER_KEY", "short"),
    ],
)
def test_z52_a_wrong_setting_is_refused_by_its_name(tmp_path: Path, name: str, value: str) -> None:
    """The sentence names the variable and, where it may be confidential, not its value."""
    said = sentence(serve(tmp_path / "data", environment={name: value}))
    assert name in said
    assert name != "SENSOS_AUTH_MASTER_KEY" or value not in said


def test_z06_a_registry_too_new_for_the_program_is_refused(folder: Path) -> None:
    """The sentence says so, and what to do."""
    with closing(apsw.Connection(str(folder / "registry.sqlite3"))) as connection:
        connection.execute("INSERT INTO migrations (number, name, applied_at) VALUES (9000, 'later', 0)")
        connection.execute("UPDATE clock SET oldest_program = 9000")
    assert "newer Sensos Auth" in sentence(serve(folder))


def test_z84_a_second_service_on_the_port_is_refused(tmp_path: Path) -> None:
    """Although workers share their port, a second service may not join them; the first one goes on."""
    with running_service(tmp_path / "data", workers=2, at_once=True) as service:
        application = service.new_application()
        assert f"port {service.port}" in sentence(serve(tmp_path / "other", port=service.port))
        assert {service.ask(application).status_code for _ in range(20)} == {200}


def test_z84_two_services_on_one_registry_work_together(tmp_path: Path) -> None:
    """On two ports: the same keys, and what one of them may not issue, the other doesn't either."""
    environment = {"SENSOS_AUTH_ISSUER": "http://127.0.0.1:1"}
    with (
        running_service(tmp_path / "data", workers=2, environment=environment, at_once=True) as one,
        running_service(tmp_path / "data", workers=2, environment=environment, at_once=True) as two,
    ):
        application = one.new_application()
        for issuing, accepting in ((one, two), (two, one)):
            bearer = {"Authorization": f"Bearer {issuing.token(application)}"}
            assert accepting.client.get("/v1/endpoint", headers=bearer).status_code == 200
        assert one.client.get("/.well-known/jwks.json").json() == two.client.get("/.well-known/jwks.json").json()
        assert len(one.client.get("/.well-known/jwks.json").json()["keys"]) == 1
        disable = [COMMAND, "applications", "disable", application.application_id]
        subprocess.run(disable, env=two.environment, check=True, capture_output=True, timeout=20)
        assert (one.ask(application).status_code, two.ask(application).status_code) == (401, 401)


@pytest.fixture
def exclusive_owner(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Return another program that has the registry for itself alone."""
    program = (
        "import apsw, sys, time; connection = apsw.Connection(sys.argv[1]);"
        "connection.pragma('locking_mode', 'exclusive'); connection.execute('BEGIN EXCLUSIVE');"
        "print('locked', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(folder / "registry.sqlite3")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"locked\n"
        yield owner
        owner.kill()


def test_z18_a_registry_that_another_program_holds_is_refused(
    folder: Path, exclusive_owner: "subprocess.Popen[bytes]"
) -> None:
    """After some 2 s, and not before: the other program may be about to end."""
    began = time.monotonic()
    assert "busy" in sentence(serve(folder))
    assert 1.9 < time.monotonic() - began < 6
    exclusive_owner.kill()
    exclusive_owner.wait()
    with running_service(folder, at_once=True):
        pass


@pytest.mark.parametrize("stage", ["before-migration", "anywhere"])
def test_z06_z09_a_start_that_is_killed_leaves_nothing_half_made(tmp_path: Path, stage: str) -> None:
    """``quickstart`` killed at random moments of its first start: the next one works, with one key and one tenant."""
    chance = random.Random()  # noqa: S311 - any moment will do
    for number in range(_KILLED_STARTS):
        folder = tmp_path / f"{stage}-{number}"
        port = free_port()
        with _quickstart(folder, port) as first:
            if stage == "before-migration":
                while not (folder / "registry.sqlite3").exists() and first.poll() is None:
                    time.sleep(0.001)
                time.sleep(chance.random() * 0.02)
            else:
                time.sleep(0.2 + chance.random() * 0.8)
            os.killpg(first.pid, signal.SIGKILL)
        with _quickstart(folder, free_port()) as second:
            try:
                assert second.stdout is not None
                assert any(b"Ctrl-C stops" in line for line in second.stdout)
            finally:
                os.killpg(second.pid, signal.SIGKILL)
        _assert_one_whole_instance(folder)


def _quickstart(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SENSOS_")}
    return subprocess.Popen(
        [COMMAND, "quickstart", "--port", str(port), "--data-dir", str(folder)],
        env=ours,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _assert_one_whole_instance(folder: Path) -> None:
    open_registry(f"sqlite:///{folder / 'registry.sqlite3'}").close()
    with closing(apsw.Connection(str(folder / "registry.sqlite3"))) as connection:
        assert list(connection.execute("PRAGMA integrity_check")) == [("ok",)]
        counts = [
            len(connection.execute(f"SELECT 1 FROM {table}").fetchall())  # noqa: S608 - ours
            for table in ("signing_keys", "tenants", "applications", "secrets", "migrations")
        ]
    assert counts == [1, 1, 1, 1, len(known_migrations())]
    names = {path.name for path in folder.iterdir() if not re.search(r"-(wal|shm)$", path.name)}
    assert names >= {"registry.sqlite3", "master.key", "quickstart.json"}
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}


def test_a_port_that_may_not_be_had_is_refused(tmp_path: Path) -> None:
    """A port that another program listens on: the sentence says what to choose."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        said = sentence(serve(tmp_path / "data", port=listener.getsockname()[1]))
    assert "choose another with --host and --port" in said
