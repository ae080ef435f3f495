import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sensos_auth.cli.checks import registry_file, settings
from sensos_auth.cli.checks.finding import Status
from sensos_auth.registry import open_registry
from sensos_auth.registry.tenants import create_tenant
from tests.cli.command_line import CommandLine
from tests.cli.polling import Poller

DAY = 86_400


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    """Return the command line on a registry with a signing key, where nothing is wrong."""
    command_line = CommandLine(tmp_path / "data")
    command_line.run("keys", "rotate")
    return command_line


@pytest.fixture
def empty(tmp_path: Path) -> CommandLine:
    """Return the command line on a data folder that does not exist."""
    return CommandLine(tmp_path / "nothing here")


def findings(command_line: CommandLine) -> dict[str, tuple[str, str]]:
    """Return what doctor found, by check: status and message. The exit status must agree with it."""
    result = command_line.run("doctor", "--json")
    document = json.loads(result.stdout)
    found = {each["check"]: (each["status"], each["message"]) for each in document["checks"]}
    statuses = {status for status, _ in found.values()}
    worst = "wrong" if "wrong" in statuses else "warning" if "warning" in statuses else "ok"
    assert document["status"] == worst
    assert result.exit_code == (1 if worst == "wrong" else 0)
    return found


def trace(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return all that a visit could change in the folder: names, modes, times of change and content."""
    return {
        path.name: (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()
    } | {".": (folder.stat().st_mode, folder.stat().st_mtime_ns, b"")}


def test_a_sound_configuration_is_all_ok(command_line: CommandLine) -> None:
    """One line for each check, each ok, status 0."""
    assert {status for status, _ in findings(command_line).values()} == {"ok"}
    result = command_line.run("doctor")
    assert all(line.startswith("ok ") for line in result.stdout.splitlines())
    assert len(result.stdout.splitlines()) == len(findings(command_line))


def test_every_subject_is_looked_at(command_line: CommandLine) -> None:
    """What an operator can get wrong has its line."""
    assert set(findings(command_line)) == {
        *("engine", "issuer", "audience", "lifetime", "algorithm", "webhook", "usage", "limits"),
        *("database", "folder", "file", "space"),
        *("integrity", "schema", "clock", "issuing", "master key", "signing key", "rotation"),
    }


def test_nothing_is_changed(command_line: CommandLine) -> None:
    """The visit leaves the folder as it was, without so much as an empty log."""
    before = trace(command_line.data_folder)
    command_line.run("doctor")
    assert trace(command_line.data_folder) == before


def test_nothing_is_made_where_there_is_nothing(empty: CommandLine) -> None:
    """Without a registry doctor warns, says how it comes to be, and makes neither folder, file nor master key."""
    status, message = findings(empty)["file"]
    assert status == "warning"
    assert "there is no registry" in message
    assert not empty.data_folder.exists()


def test_it_looks_beside_a_running_service(command_line: CommandLine) -> None:
    """With the registry open elsewhere, and a change only in its log, doctor sees the change."""
    registry = open_registry(f"sqlite:///{command_line.registry_file}")
    with closing(registry):
        command_line.change_registry("UPDATE signing_keys SET signs_from = signs_from - 2592000")
        assert (command_line.data_folder / "registry.sqlite3-wal").stat().st_size > 0
        found = findings(command_line)
        assert found["rotation"][0] == "warning"
        assert found["integrity"][0] == "ok"


def test_z12_what_a_killed_process_left_in_the_log_is_seen(command_line: CommandLine) -> None:
    """A process ended without closing the registry: the log it left is read, and the registry is sound."""
    program = (
        "import apsw, os, sys; connection = apsw.Connection(sys.argv[1]);"
        "connection.execute('UPDATE signing_keys SET signs_from = signs_from - 2592000'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program, str(command_line.registry_file)], check=True, timeout=30)
    assert (command_line.data_folder / "registry.sqlite3-wal").stat().st_size > 0
    found = findings(command_line)
    assert (found["integrity"][0], found["rotation"][0]) == ("ok", "warning")


def test_it_looks_while_another_program_writes(command_line: CommandLine) -> None:
    """A writer in the middle of a change holds doctor up by nothing."""
    registry = open_registry(f"sqlite:///{command_line.registry_file}")
    with closing(registry), registry.change("test") as change:
        create_tenant(change, name="not committed")
        started = time.monotonic()
        assert {status for status, _ in findings(command_line).values()} == {"ok"}
        assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("variable", "value", "check"),
    [
        ("SENSOS_AUTH_ISSUER", "auth.example.com", "issuer"),
        ("SENSOS_AUTH_ISSUER", "", "issuer"),
        ("SENSOS_AUTH_ISSUER", "https://auth.example.com/?x=1", "issuer"),
        ("SENSOS_AUTH_AUDIENCE", " ", "audience"),
        ("SENSOS_AUTH_TOKEN_LIFETIME", "10h", "lifetime"),
        ("SENSOS_AUTH_TOKEN_LIFETIME", "86401", "lifetime"),
        ("SENSOS_AUTH_SIGNING_ALGORITHM", "HS256", "algorithm"),
        ("SENSOS_AUTH_USAGE", "", "usage"),
        ("SENSOS_AUTH_APPLICATION_LIMIT", "20", "limits"),
        ("SENSOS_AUTH_ADDRESS_LIMIT", "", "limits"),
        ("SENSOS_AUTH_TRUSTED_PROXIES", "proxy.example.com", "limits"),
        ("SENSOS_AUTH_LIMITS_URL", "http://:confidential@host", "limits"),
        ("SENSOS_AUTH_LIMITS_URL_FILE", "/nowhere", "limits"),
        ("SENSOS_AUTH_DATABASE_URL", "", "database"),
        ("SENSOS_AUTH_DATABASE_URL", "mysql://localhost/x", "database"),
        ("SENSOS_AUTH_MASTER_KEY", "confidential but wrong", "master key"),
        ("SENSOS_AUTH_MASTER_KEY", "", "master key"),
    ],
)
def test_z52_a_bad_setting_is_named(command_line: CommandLine, variable: str, value: str, check: str) -> None:
    """A setting that the service would not start with is wrong, by its exact name, without a confidential value."""
    command_line.environment[variable] = value
    status, message = findings(command_line)[check]
    assert status == "wrong"
    assert variable in message
    assert "confidential" not in message


def test_z52_every_bad_setting_is_found_at_once(command_line: CommandLine) -> None:
    """One mistake does not hide the next."""
    command_line.environment |= {"SENSOS_AUTH_ISSUER": "x", "SENSOS_AUTH_TOKEN_LIFETIME": "x"}
    found = findings(command_line)
    assert [check for check, (status, _) in found.items() if status == "wrong"] == ["issuer", "lifetime"]


@pytest.mark.parametrize("misspelled", ["SENSOS_AUTH_ISUER", "SENSOS_AUTH_MASTERKEY_FILE", "SENSOS_AUTH_DATADIR"])
def test_z84_a_misspelled_setting_is_pointed_out(command_line: CommandLine, misspelled: str) -> None:
    """A variable whose name is nearly one of ours is a warning, and its value is not shown."""
    command_line.environment[misspelled] = "confidential"
    status, message = findings(command_line)["variables"]
    assert status == "warning"
    assert misspelled in message
    assert "confidential" not in message


@pytest.mark.parametrize("issuer", ["http://auth.example.com", "http://10.0.0.1:8000", "http://127.0.0.1.example.com"])
def test_z84_an_issuer_without_tls_is_wrong(command_line: CommandLine, issuer: str) -> None:
    """Plain http is wrong anywhere but on this machine."""
    command_line.environment["SENSOS_AUTH_ISSUER"] = issuer
    status, message = findings(command_line)["issuer"]
    assert status == "wrong"
    assert "https" in message


@pytest.mark.parametrize(
    "issuer", ["https://auth.example.com", "http://localhost:8000", "http://127.0.0.1", "http://[::1]:8000"]
)
def test_an_issuer_with_tls_or_on_this_machine_is_ok(command_line: CommandLine, issuer: str) -> None:
    """TLS everywhere, or http on the loopback interface."""
    command_line.environment["SENSOS_AUTH_ISSUER"] = issuer
    assert findings(command_line)["issuer"] == ("ok", issuer)


@pytest.mark.parametrize(("version", "status"), [("3.40.1", "wrong"), ("3.51.2", "wrong"), ("3.51.3", "ok")])
def test_z20_an_affected_engine_is_wrong(version: str, status: str) -> None:
    """An SQLite with the WAL-reset bug is named."""
    found = settings._engine(version)
    assert found.status == status
    assert version in found.message


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_z23_a_registry_open_to_others_is_wrong(command_line: CommandLine, mode: int) -> None:
    """Any right of other users is wrong, with the command that mends it, and is left for the operator to mend."""
    command_line.registry_file.chmod(mode)
    status, message = findings(command_line)["file"]
    assert status == "wrong"
    assert f"chmod 600 {command_line.registry_file}" in message
    assert stat.S_IMODE(command_line.registry_file.stat().st_mode) == mode


def test_z23_a_folder_that_others_can_write_is_wrong(command_line: CommandLine) -> None:
    """Who can write the folder can replace the registry."""
    command_line.data_folder.chmod(0o777)
    status, message = findings(command_line)["folder"]
    assert status == "wrong"
    assert f"chmod 700 {command_line.data_folder}" in message


def test_z23_a_folder_that_is_a_file_is_wrong(empty: CommandLine) -> None:
    """A data folder that is a file is told as such."""
    empty.data_folder.write_text("")
    assert findings(empty)["folder"][0] == "wrong"


def test_z23_a_registry_that_is_a_folder_is_wrong(empty: CommandLine) -> None:
    """A folder in place of the registry file is told as such."""
    empty.registry_file.mkdir(parents=True)
    status, message = findings(empty)["file"]
    assert status == "wrong"
    assert "not a regular file" in message


def test_z23_a_symbolic_link_is_wrong(command_line: CommandLine) -> None:
    """The registry file itself is to be named, not a link to it."""
    moved = command_line.data_folder / "elsewhere.sqlite3"
    command_line.registry_file.rename(moved)
    command_line.registry_file.symlink_to(moved)
    assert findings(command_line)["file"][0] == "wrong"


@pytest.fixture
def nobody() -> Iterator[CommandLine]:
    """Return the command line on a registry of root, and be another user meanwhile."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    folder = Path(tempfile.mkdtemp(prefix="sensos-auth-"))  # tmp_path is closed to others
    command_line = CommandLine(folder)
    command_line.run("keys", "rotate")
    command_line.run("doctor")  # what is imported late may be closed to others
    os.setresuid(65_534, 65_534, 0)
    try:
        yield command_line
    finally:
        os.setresuid(0, 0, 0)
        shutil.rmtree(folder)


def as_root(action: Callable[[], None]) -> None:
    """Do something as root in between."""
    os.setresuid(0, 0, 0)
    action()
    os.setresuid(65_534, 65_534, 0)


def test_z23_a_folder_closed_to_this_user_is_wrong(nobody: CommandLine) -> None:
    """Run as somebody else than the service, doctor says that it can't get in, and nothing worse."""
    found = findings(nobody)
    assert found["folder"][0] == "wrong"
    assert "is not writable for the user" in found["folder"][1]
    assert found["file"][0] == "wrong"


def test_z23_a_registry_closed_to_this_user_is_wrong(nobody: CommandLine) -> None:
    """The file is there, but not this user's to read: wrong, naming the file and the user."""
    as_root(lambda: nobody.data_folder.chmod(0o755))
    status, message = findings(nobody)["file"]
    assert status == "wrong"
    assert f"{nobody.registry_file} is not readable and writable for the user" in message


def test_z23_a_master_key_closed_to_this_user_is_wrong(nobody: CommandLine) -> None:
    """The registry is this user's, its master key is not: wrong, naming the file."""

    def hand_over() -> None:
        os.chown(nobody.data_folder, 65_534, -1)
        os.chown(nobody.registry_file, 65_534, -1)

    as_root(hand_over)
    found = findings(nobody)
    assert [check for check, (status, _) in found.items() if status != "ok"] == ["master key"]
    assert str(nobody.master_key_file) in found["master key"][1]


def test_z23_root_is_told_whose_registry_it_is(command_line: CommandLine) -> None:
    """Root can read everything, which says little about the service: doctor names the owner."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(command_line.registry_file, 65_534, -1)
    assert findings(command_line)["file"][0] == "warning"


def test_z25_a_missing_master_key_is_wrong_and_not_made(command_line: CommandLine) -> None:
    """Signing keys without their master key: wrong, with the ways to mend it."""
    command_line.master_key_file.unlink()
    status, message = findings(command_line)["master key"]
    assert status == "wrong"
    assert "put it back" in message
    assert not command_line.master_key_file.exists()


@pytest.mark.parametrize("text", ["", "AAAA", "A" * 42, "A" * 44, "é" * 43, "not base64url!" * 4])
def test_z25_a_damaged_master_key_is_wrong(command_line: CommandLine, text: str) -> None:
    """Truncated, too long, not text: wrong, naming the file and not its content."""
    command_line.master_key_file.write_text(text, "utf-8")
    status, message = findings(command_line)["master key"]
    assert status == "wrong"
    assert str(command_line.master_key_file) in message
    assert not text or text not in message


def test_z25_another_master_key_is_wrong(command_line: CommandLine) -> None:
    """A master key that does not open the signing keys is found out, from the file and from the environment."""
    command_line.environment["SENSOS_AUTH_MASTER_KEY"] = "A" * 43
    status, message = findings(command_line)["master key"]
    assert status == "wrong"
    assert "does not open" in message
    assert "A" * 43 not in message


def test_z25_a_master_key_open_to_others_is_wrong(command_line: CommandLine) -> None:
    """A master key that other users can read is wrong, with the command that mends it."""
    command_line.master_key_file.chmod(0o644)
    status, message = findings(command_line)["master key"]
    assert status == "wrong"
    assert f"chmod 600 {command_line.master_key_file}" in message


def test_before_the_first_key_no_master_key_is_needed(empty: CommandLine) -> None:
    """A registry without signing keys: the master key comes with the first one, which serve makes."""
    empty.new_tenant()
    found = findings(empty)
    assert found["master key"][0] == "ok"
    assert found["signing key"][0] == "warning"
    assert not empty.master_key_file.exists()


def test_z21_a_damaged_page_is_wrong(command_line: CommandLine) -> None:
    """Overwritten pages are found by SQLite's own check."""
    for _ in range(20):
        command_line.new_tenant()
    with command_line.registry_file.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 40_960)
    statuses = {check: status for check, (status, _) in findings(command_line).items()}
    assert "wrong" in {statuses.get("integrity"), statuses.get("registry")}


def test_z84_a_file_that_is_no_database_is_wrong(empty: CommandLine) -> None:
    """Some other file under the registry's name is told as such, and left alone."""
    empty.data_folder.mkdir(0o700)
    empty.registry_file.write_text("This is the shopping list. " * 100)
    empty.registry_file.chmod(0o600)
    status, message = findings(empty)["registry"]
    assert status == "wrong"
    assert "no SQLite database" in message
    assert empty.registry_file.read_text().startswith("This is the shopping list.")


def test_z84_an_empty_file_is_a_warning(empty: CommandLine) -> None:
    """A file without a schema is filled by any other command."""
    empty.data_folder.mkdir(0o700)
    empty.registry_file.touch(0o600)
    assert findings(empty)["schema"][0] == "warning"
    assert empty.registry_file.stat().st_size == 0


def test_a_newer_registry_is_ok_as_long_as_this_program_may_work_on_it(command_line: CommandLine) -> None:
    """A release that only added to the schema was here: nothing to do."""
    command_line.change_registry("INSERT INTO migrations VALUES (9999, 'future', 0)")
    status, message = findings(command_line)["schema"]
    assert (status, "which may work on it" in message) == ("ok", True)


def test_a_registry_too_new_for_this_program_is_wrong(command_line: CommandLine) -> None:
    """A schema that took away what this program needs: upgrade the program."""
    command_line.change_registry("INSERT INTO migrations VALUES (9999, 'future', 0)")
    command_line.change_registry("UPDATE clock SET oldest_program = 9999")
    status, message = findings(command_line)["schema"]
    assert status == "wrong"
    assert "upgrade this program" in message


def test_an_older_registry_is_a_warning(command_line: CommandLine) -> None:
    """A schema that any other command brings up to date: no reason to worry, and nothing is migrated here."""
    command_line.change_registry("DELETE FROM migrations WHERE number > 1")
    status, message = findings(command_line)["schema"]
    assert status == "warning"
    assert "brings it up to date" in message


def test_z53_a_clock_behind_the_registry_is_wrong(command_line: CommandLine) -> None:
    """The newest change lies in this machine's future by more than a minute: its clock has been set back."""
    command_line.change_registry("UPDATE clock SET version = version + 30000")
    assert findings(command_line)["clock"][0] == "ok"
    command_line.change_registry("UPDATE clock SET version = version + 7200000")
    status, message = findings(command_line)["clock"]
    assert status == "wrong"
    assert "2 hours behind" in message


def test_no_active_signing_key_is_wrong(command_line: CommandLine) -> None:
    """Keys, but none that signs: no token can be issued, and the message says what to run."""
    command_line.change_registry("UPDATE signing_keys SET signs_until = signs_from, revoked_at = 1")
    status, message = findings(command_line)["signing key"]
    assert status == "wrong"
    assert "keys rotate --immediately" in message
    command_line.run("keys", "rotate", "--immediately")
    assert findings(command_line)["signing key"][0] == "ok"


@pytest.mark.parametrize(("days", "status"), [(27, "ok"), (28, "warning"), (300, "warning")])
def test_an_overdue_rotation_is_a_warning(command_line: CommandLine, days: int, status: str) -> None:
    """From 48 hours before the active key's 30 days are over, its successor should be published."""
    command_line.change_registry("UPDATE signing_keys SET signs_from = signs_from - :seconds", seconds=days * DAY)
    assert findings(command_line)["rotation"][0] == status


@pytest.mark.parametrize(("free", "status"), [(0, Status.WRONG), (100 << 20, Status.WARNING), (10 << 30, Status.OK)])
def test_z14_little_space_is_told_in_time(tmp_path: Path, free: int, status: Status) -> None:
    """A full disk is wrong, a nearly full one a warning."""
    assert registry_file._space(tmp_path, free).status is status


def test_z19_a_log_that_grows_without_bound_is_a_warning(command_line: CommandLine) -> None:
    """A log above 64 MiB means that a reader holds it."""
    log = command_line.data_folder / "registry.sqlite3-wal"
    log.touch(0o600)
    os.truncate(log, 65 << 20)
    assert findings(command_line)["log"][0] == "warning"


@pytest.mark.parametrize(("kind", "is_wrong"), [("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("ext4", False)])
def test_z22_a_network_file_system_is_wrong(tmp_path: Path, kind: str, is_wrong: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """SQLite's log needs shared memory, which no network file system has; the nearest mount decides."""
    mounts = [(Path("/"), "ext4"), (tmp_path.resolve().parent, kind)]
    assert bool(list(registry_file._file_system(tmp_path, mounts))) is is_wrong


def test_confidential_settings_are_not_printed(command_line: CommandLine) -> None:
    """The master key is nowhere in the output, whatever it is worth."""
    key = command_line.master_key_file.read_text().strip()
    assert key not in command_line.run("doctor").output
    command_line.environment["SENSOS_AUTH_MASTER_KEY"] = key + "x"
    assert key not in command_line.run("doctor").output


def test_f12_verifiers_without_the_next_key_are_named(command_line: CommandLine) -> None:
    """A quarter of an hour after it was published: a warning that says when they will refuse its tokens."""
    kid = command_line.print_json("keys", "rotate")["kid"]
    poller = Poller(command_line)
    poller.report("late")
    poller.report("ready", kids=(kid,))
    assert "verifiers" not in findings(command_line)
    command_line.change_registry("UPDATE signing_keys SET created_at = created_at - 1000")
    status, message = findings(command_line)["verifiers"]
    assert (status, message.startswith(f"late (app_a): without the key {kid}, which signs in")) == ("warning", True)


def test_webhook_without_its_secret_is_found(command_line: CommandLine) -> None:
    """Before serve refuses to start for it; the URL is not repeated, because receivers put secrets into it."""
    command_line.environment["SENSOS_AUTH_WEBHOOK_URL"] = "https://example.com/hook?key=abc"
    status, text = findings(command_line)["webhook"]
    assert status == "wrong"
    assert "SENSOS_AUTH_WEBHOOK_SECRET must be whsec_" in text
    command_line.environment["SENSOS_AUTH_WEBHOOK_SECRET"] = "whsec_" + "a" * 44
    status, text = findings(command_line)["webhook"]
    assert status == "ok"
    assert "key=abc" not in text
