"""The systemd unit: systemd takes it, it has few rights, and nobody is cut off."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from sensos_auth.server.limits_url import LIMITS_URL_FILE
from sensos_auth.server.serving import DRAIN_SECONDS
from tests.deploy.declared import DEPLOY, check_arguments, check_environment
from tests.running_service import COMMAND

FOLDER = DEPLOY / "systemd"
DROP_INS = ("postgresql.conf", "limits.conf")
FILES = ("sensos-auth.service", *DROP_INS)
PROGRAM = "/opt/sensos-auth/bin/sensos-auth"
# systemd-analyze's measure, in tenths: 0 is no rights at all, 100 all of them.
_MOST_EXPOSED = 12

with_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")


def _values(key: str, *files: str) -> list[str]:
    text = "".join((FOLDER / file).read_text("utf-8") for file in files or ("sensos-auth.service",))
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Return the unit with the program of these tests, and with all drop-ins."""
    unit = tmp_path / "sensos-auth.service"
    unit.write_text((FOLDER / unit.name).read_text("utf-8").replace(PROGRAM, COMMAND))
    (tmp_path / f"{unit.name}.d").mkdir()
    for name in DROP_INS:
        shutil.copy(FOLDER / name, tmp_path / f"{unit.name}.d")
    return unit


@with_systemd
def test_systemd_takes_it(unit: Path) -> None:
    """Without a word about a key or a value that it does not know."""
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


@with_systemd
def test_it_has_few_rights(unit: Path) -> None:
    """By systemd's own measure."""
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={_MOST_EXPOSED}", str(unit)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_workers_may_take_turns_as_batch_jobs_do() -> None:
    """Of what alters the machine's resources, all is forbidden but that: systemd goes by the last word on each call."""
    words = [(not value.startswith("~"), value.lstrip("~").split()) for value in _values("SystemCallFilter")]
    said = [is_allowed for is_allowed, calls in words if {"@resources", "sched_setscheduler"} & set(calls)]
    assert said == [False, True]
    assert words[0] == (True, ["@system-service"])  # only what is named is allowed, and not all but what is named
    assert _values("RestrictRealtime") == ["yes"]


def test_command_and_settings_are_the_programs() -> None:
    """The program takes the command, and doctor finds nothing to mend in the settings.

    It would read the file that the drop-in for limits names, and ask the server: that variable is only known.
    """
    (command,) = _values("ExecStart")
    program, *arguments = shlex.split(command)
    assert program == PROGRAM
    check_arguments(arguments)
    settings = [*_values("Environment", "sensos-auth.service", "postgresql.conf")]
    settings += re.findall(r"^(SENSOS_\w+=.*)$", (FOLDER / "environment").read_text("utf-8"), re.MULTILINE)
    check_environment(dict(setting.split("=", 1) for setting in settings))
    assert [each.partition("=")[0] for each in _values("Environment", "limits.conf")] == [LIMITS_URL_FILE]


def test_secrets_are_handed_over() -> None:
    """Each file that the service is told of is a credential of systemd's, and none is in the settings."""
    credentials = {f"%d/{value.partition(':')[0]}" for value in _values("LoadCredential", *FILES)}
    told = {value.split("=", 1)[1] for value in _values("Environment", *FILES) if "_FILE=" in value}
    assert told == credentials


def test_it_has_time_to_drain() -> None:
    """It is killed later than what is under way has, and tells the parent alone to end."""
    assert float(_values("TimeoutStopSec")[0]) >= DRAIN_SECONDS + 5
    assert _values("KillMode") == ["mixed"]


def test_other_commands_run_as_it_does() -> None:
    """The same user, folder, settings and secrets; the script is one that a shell takes."""
    script = (FOLDER / "sensos-auth-command").read_text("utf-8")
    subprocess.run(["sh", "-n", FOLDER / "sensos-auth-command"], check=True)
    for key in ("User", "StateDirectory", "StateDirectoryMode", "UMask", "EnvironmentFile", "LoadCredential"):
        for value in _values(key):
            assert f"--property={key}={value}" in script
    assert PROGRAM in script
    for setting in _values("Environment", *FILES):
        assert setting.partition("=")[0] in script
    (user,) = _values("User")
    assert re.search(rf"^u {user} ", (FOLDER / "sensos-auth.sysusers").read_text("utf-8"), re.MULTILINE)
