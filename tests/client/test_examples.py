"""The examples, each in a process of its own, over more than two lifetimes of their tokens."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.running_service import free_port

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples" / "clients").glob("with_*.py"))
COMMAND = str(Path(sys.executable).with_name("sensos-auth"))
LIFETIME = 3
SECONDS = 7


@contextmanager
def quickstart(folder: Path) -> Iterator[dict[str, str]]:
    """Run quickstart with short lifetimes, and give the environment of its example application."""
    port = free_port()
    settings = {name: value for name, value in os.environ.items() if not name.startswith("SENSOS_")}
    settings["SENSOS_AUTH_TOKEN_LIFETIME"] = str(LIFETIME)
    command = [COMMAND, "quickstart", "--port", str(port), "--data-dir", str(folder)]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, env=settings, stdout=log, stderr=log) as process:
        try:
            base_url = f"http://127.0.0.1:{port}"
            wait_until_ready(base_url)
            kept = json.loads((folder / "quickstart.json").read_text())
            yield settings | {
                "SENSOS_BASE_URL": base_url,
                "SENSOS_TENANT_ID": kept["tenantId"],
                "SENSOS_APPLICATION_ID": kept["applicationId"],
                "SENSOS_APPLICATION_SECRET": kept["applicationSecret"],
                "NO_PROXY": "127.0.0.1",
            }
        finally:
            process.terminate()
            process.wait(20)


def wait_until_ready(base_url: str) -> None:
    """Return once it could issue a token."""
    give_up_at = time.monotonic() + 20
    while time.monotonic() < give_up_at:
        try:
            if httpx2.get(f"{base_url}/readyz", trust_env=False).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError("quickstart is not ready")


@pytest.mark.slow
def test_no_call_fails_over_two_lifetimes(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """Whatever the library; and each gets no more tokens than it needs."""
    with quickstart(tmp_path) as environment:
        processes = [
            subprocess.Popen([sys.executable, path, str(SECONDS)], env=environment, stdout=subprocess.PIPE, text=True)
            for path in EXAMPLES
        ]
        printed = {
            path.stem: process.communicate(timeout=50)[0] for path, process in zip(EXAMPLES, processes, strict=True)
        }
    assert len(printed) == 8
    for name, line in printed.items():
        calls = int(line.split()[0])
        assert line == f"{calls} calls, 0 failed\n", name
        assert calls > 20
    lines = (tmp_path / "log").read_text().splitlines()
    tokens = [
        line for line in lines if line.startswith("{") and json.loads(line).get("path") == "/v1/applications/token"
    ]
    # One to begin with; after at least a tenth of its life the second, then one after two thirds of each. A second of
    # their life is not counted on.
    needed = len(printed) * (1 + SECONDS / (0.675 * (LIFETIME - 1)))
    assert 2 * len(printed) <= len(tokens) <= needed + len(printed)
    record_property("token requests", len(tokens))
