"""The installed command as a process of its own: what its users' shells see."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sensos_auth.registry import open_registry
from sensos_auth.registry.tenants import get_tenant
from tests.cli.command_line import UNSET, CommandLine

COMMAND = str(Path(sys.executable).with_name("sensos-auth"))


def environment(command_line: CommandLine) -> dict[str, str]:
    """Return the environment of a process on the data folder."""
    ours = {name: value for name, value in os.environ.items() if name not in UNSET}
    return ours | {"SENSOS_AUTH_DATA_DIR": str(command_line.data_folder)}


def run(command_line: CommandLine, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the installed command to its end."""
    return subprocess.run(
        [COMMAND, *arguments],
        env=environment(command_line),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        stdin=subprocess.DEVNULL,
    )


def test_from_nothing_to_credentials(command_line: CommandLine) -> None:
    """The example of --help, as a shell runs it."""
    tenant = json.loads(run(command_line, "tenants", "create", "--name", "Blue Motors", "--json").stdout)
    made = run(command_line, "applications", "create", "--tenant", tenant["tenantId"], "--name", "Fleet", "--json")
    assert json.loads(made.stdout)["applicationSecret"].startswith("sensos_sk_")
    assert (made.stderr, made.returncode) == ("", 0)
    assert run(command_line, "applications", "disable", "app_nobody").returncode == 1
    assert run(command_line, "applications", "disable").returncode == 2


def test_files_are_made_private(command_line: CommandLine) -> None:
    """z23: folder 0700, registry and master key 0600, whatever the umask."""
    previous = os.umask(0)
    try:
        run(command_line, "keys", "rotate")
    finally:
        os.umask(previous)
    assert command_line.data_folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in command_line.data_folder.iterdir()} == {
        "registry.sqlite3": 0o600,
        "master.key": 0o600,
    }


def test_help_imports_neither_registry_nor_server() -> None:
    """What makes a start slow is imported when it is needed."""
    program = (
        "import sys; from sensos_auth.cli import main; main.get_help(main.make_context('sensos-auth', ['tenants']));"
        "print(*(sys.modules.keys() & {'aiosql', 'apsw', 'cryptography', 'granian', 'httpx2', 'tabulate'}))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=30)
    assert (result.returncode, result.stdout, result.stderr) == (0, "\n", "")


def test_commands_work_beside_a_process_that_has_the_registry_open(command_line: CommandLine) -> None:
    """Another process' connection, in the middle of reading, keeps nobody out and sees the change afterwards."""
    tenant_id = command_line.new_tenant()
    registry = open_registry(f"sqlite:///{command_line.registry_file}")
    with closing(registry):
        with registry.view():
            assert run(command_line, "tenants", "disable", tenant_id).returncode == 0
        with registry.view() as view:
            assert get_tenant(view, tenant_id).disabled_at is not None


def test_z18_a_long_writer_holds_up_changes_but_not_lists(command_line: CommandLine) -> None:
    """While another process holds the write lock: lists answer, changes are refused after 2 s with one sentence."""
    command_line.new_tenant()
    registry = open_registry(f"sqlite:///{command_line.registry_file}")
    with closing(registry), registry.database.write():
        assert len(command_line.print_json("tenants", "list")["tenants"]) == 1
        result = command_line.run("tenants", "create", "--name", "X")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: the registry is busy")


def test_many_processes_change_the_registry_at_once(command_line: CommandLine) -> None:
    """Eight processes, the registry not made yet: each makes its tenant, and none is lost."""
    names = [f"Tenant {number}" for number in range(8)]
    processes = [
        subprocess.Popen([COMMAND, "tenants", "create", "--name", name], env=environment(command_line), stdout=-3)
        for name in names
    ]
    assert [process.wait(timeout=30) for process in processes] == [0] * 8
    listed = command_line.print_json("tenants", "list")["tenants"]
    assert sorted(tenant["name"] for tenant in listed) == names


def test_a_reader_that_has_left_is_no_error(command_line: CommandLine) -> None:
    """Piped into a program that has ended: nothing on stderr."""
    command_line.new_tenant()
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [COMMAND, "tenants", "list"], env=environment(command_line), stdout=writing, stderr=-1, check=False, timeout=30
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_output_that_cannot_be_written_is_refused(command_line: CommandLine) -> None:
    """A full disk under the redirection is told, and not taken for success."""
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [COMMAND, "tenants", "list"],
            env=environment(command_line),
            stdout=full,
            stderr=-1,
            check=False,
            text=True,
            timeout=30,
        )
    assert result.returncode == 1
    assert "No space left on device" in result.stderr
    assert "Traceback" not in result.stderr


def test_ctrl_c_while_waiting_for_a_token(command_line: CommandLine, tmp_path: Path) -> None:
    """SIGINT: status 130, no traceback."""
    pipe = tmp_path / "token"
    os.mkfifo(pipe)
    arguments = [COMMAND, "tokens", "inspect", "--file", str(pipe)]
    waiting = subprocess.Popen(arguments, env=environment(command_line), stdout=-1, stderr=-1)
    # To open the pipe waits until the process has opened its end.
    with waiting as process, pipe.open("wb") as writing:
        writing.write(b"eyJ")
        writing.flush()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (130, b"", b"")


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, command_line: CommandLine, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [COMMAND, *arguments],
            env=environment(command_line),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.output = ""

    def wait_for(self, text: str) -> None:
        """Read until the text has been shown."""
        while text not in self.output:
            assert self._read(), self.output

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._ours, text.encode() + b"\n")

    def end(self) -> int:
        """Read to the end and return the exit status."""
        while self._read():
            pass
        os.close(self._ours)
        return self._process.wait(timeout=10)

    def _read(self) -> bool:
        if not select.select([self._ours], [], [], 20)[0]:
            self._process.kill()
            return False
        try:
            data = os.read(self._ours, 4096)
        except OSError:  # Linux: the other end has been closed
            return False
        self.output += data.decode()
        return bool(data)


@pytest.mark.parametrize(("answer", "status", "state"), [("n", 1, "active"), ("", 1, "active"), ("y", 0, "revoked")])
def test_revoking_a_key_asks_on_a_terminal(command_line: CommandLine, answer: str, status: int, state: str) -> None:
    """A person is told what becomes of the tokens, and asked; no is the default and changes nothing."""
    kid = command_line.print_json("keys", "rotate")["kid"]
    terminal = Terminal(command_line, "keys", "revoke", kid)
    terminal.wait_for("[y/N]")
    assert "get new tokens" in terminal.output
    terminal.type(answer)
    assert terminal.end() == status
    assert {key["kid"]: key["state"] for key in command_line.print_json("keys", "list")["keys"]}[kid] == state


def test_yes_answers_beforehand(command_line: CommandLine) -> None:
    """--yes asks nothing, on a terminal too."""
    kid = command_line.print_json("keys", "rotate")["kid"]
    terminal = Terminal(command_line, "keys", "revoke", kid, "--yes")
    assert terminal.end() == 0
    assert "[y/N]" not in terminal.output


def test_a_token_typed_on_a_terminal_is_not_shown(command_line: CommandLine) -> None:
    """Pasted at the prompt, the token is not echoed."""
    terminal = Terminal(command_line, "tokens", "inspect")
    terminal.wait_for("Access token (not shown)")
    time.sleep(0.1)  # the echo is switched off right after the prompt is shown
    terminal.type("eyJ.confidential.x")
    assert terminal.end() == 1
    assert "confidential" not in terminal.output
    assert "this is not an access token" in terminal.output
