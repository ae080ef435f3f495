"""On a terminal, deleting asks first, and says what it takes along."""

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine
from tests.running_service import COMMAND


def _answer(folder: Path, answer: bytes, *arguments: str) -> tuple[int, str]:
    """Run a command whose standard input is a terminal, on which the answer is typed."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "SENSOS_AUTH_DATA_DIR": str(folder)}
    with subprocess.Popen(
        [COMMAND, *arguments], env=environment, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        os.close(theirs)
        os.write(ours, answer)
        output, _ = process.communicate(timeout=30)
    os.close(ours)
    return process.returncode, output.decode()


@pytest.mark.slow
@pytest.mark.waits
def test_deleting_asks_on_a_terminal(command_line: CommandLine) -> None:
    """With no, nothing has happened; with yes it is gone."""
    tenant_id = command_line.new_tenant()
    command_line.new_application(tenant_id)
    status, output = _answer(command_line.data_folder, b"n\n", "tenants", "delete", tenant_id)
    assert status == 1
    assert "Its applications (1) go with it" in output
    assert f"Delete the tenant {tenant_id} (Blue Motors)?" in output
    assert command_line.print_json("tenants", "show", tenant_id)["state"] == "enabled"
    status, _ = _answer(command_line.data_folder, b"y\n", "tenants", "delete", tenant_id)
    assert status == 0
    assert command_line.run("tenants", "show", tenant_id).exit_code == 1
