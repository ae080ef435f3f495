"""``sensos-auth quickstart``, as a newcomer meets it: lines to paste, each in a shell of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.applications import disable_application
from sensos_auth.registry.location import FILE_NAME
from sensos_auth.registry.secrets import list_secrets, revoke_secret
from sensos_auth.registry.tenants import disable_tenant
from tests.running_service import free_port

pytestmark = [pytest.mark.slow, pytest.mark.waits]

COMMAND = str(Path(sys.executable).with_name("sensos-auth"))


@contextmanager
def quickstart(
    folder: Path,
    port: int,
    errors: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    at_once: bool = True,
) -> Iterator[list[str]]:
    """Run it, and give the curl lines that it prints; ``errors`` gets what it writes to standard error.

    In the end it is killed, or else told to end, which takes a second and a half.
    """
    command = [COMMAND, "quickstart", "--port", str(port), "--data-dir", str(folder)]
    with (
        (errors or Path(os.devnull)).open("w") as stderr,
        subprocess.Popen(
            command,
            env=os.environ | dict(environment or {}),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            lines: list[str] = []
            while len(lines) < 3:
                line = process.stdout.readline()
                assert line, "it ended before it had said everything"
                lines += [line.strip()] if line.startswith("curl ") else []
            yield lines
        finally:
            if at_once:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.terminate()
            process.wait(10)


def pasted(line: str) -> tuple[int, dict[str, object]]:
    """Return status and body of what the line asks, in a shell that knows nothing of the others."""
    shown = subprocess.run(
        ["bash", "-c", line.replace("curl -sS", "curl -sS -w '\\n%{http_code}'", 1)],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
        env={"PATH": "/usr/bin:/bin"},
    ).stdout
    body, _, status = shown.rpartition("\n")
    return int(status), json.loads(body)


def test_three_lines_work_when_pasted_and_a_second_start_keeps_everything(tmp_path: Path) -> None:
    """200 with a token, 200 with who calls, 401 with the exact body; then the same lines again."""
    with quickstart(tmp_path, free_port(), at_once=False) as lines:
        token, call, call_without = (pasted(line) for line in lines)
        assert (token[0], token[1]["expiresIn"]) == (200, 36_000)
        assert (call[0], call[1]["scopes"]) == (200, [])
        assert call_without == (401, {"error": "Unauthorized", "message": "Invalid or expired access token"})
    with quickstart(tmp_path, free_port()) as again:
        assert again[0].split("-d ")[1] == lines[0].split("-d ")[1]
        assert pasted(again[1])[1]["applicationId"] == call[1]["applicationId"]


@pytest.mark.parametrize("taken_away", ["secret", "application", "tenant"])
def test_credentials_that_no_longer_work_are_replaced(tmp_path: Path, taken_away: str) -> None:
    """The lines always work, also after the example's secret, application or tenant was taken away."""
    with quickstart(tmp_path, free_port()) as lines:
        kept = json.loads(lines[0].split("-d ")[1].strip("'"))
    with closing(open_registry(f"sqlite:///{tmp_path / FILE_NAME}")) as registry:
        _take_away(registry, kept, taken_away)
    with quickstart(tmp_path, free_port()) as lines:
        assert pasted(lines[0])[0] == 200
        assert json.loads(lines[0].split("-d ")[1].strip("'"))["applicationId"] != kept["applicationId"]


def _take_away(registry: Registry, kept: dict[str, str], what: str) -> None:
    with registry.change("me") as change:
        match what:
            case "secret":
                revoke_secret(change, list_secrets(change, kept["applicationId"])[0].secret_id)
            case "application":
                disable_application(change, kept["applicationId"])
            case _:
                disable_tenant(change, kept["tenantId"])


def test_taken_port_is_said_before_anything_is_made(tmp_path: Path) -> None:
    """One sentence, status 1, and no folder full of keys for a service that never ran."""
    with quickstart(tmp_path / "first", port := free_port()):
        command = [COMMAND, "quickstart", "--port", str(port), "--data-dir", str(tmp_path / "second")]
        started = time.monotonic()
        refused = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "--port" in refused.stderr
        assert time.monotonic() - started < 10
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("variable", ["SENSOS_AUTH_DATABASE_URL", "SENSOS_AUTH_DATABASE_URL_FILE"])
def test_database_that_is_not_used_is_named(tmp_path: Path, variable: str) -> None:
    """Who has set one for the service learns that this is a registry of its own; a password in it is not repeated."""
    settings = {variable: "postgresql://sensos:password@db.example.com/sensos"}
    errors = tmp_path / "errors"
    with quickstart(tmp_path / "data", free_port(), errors, environment=settings) as lines:
        assert pasted(lines[0])[0] == 200
    (line,) = [line for line in errors.read_text().splitlines() if not line.startswith("{")]
    file = tmp_path / "data" / FILE_NAME
    assert line == f"{variable} is not used: quickstart keeps a registry of its own in {file}. `serve` uses it."
    assert file.exists()
