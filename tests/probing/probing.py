"""Runs ``sensos-auth probe`` in this process, and the examples that it is aimed at on ports of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from click.testing import CliRunner, Result

from sensos_auth.cli import main
from tests.running_service import AUDIENCE, ExampleApplication, RunningService, free_port

ROOT = Path(__file__).parents[2]
_START_SECONDS = 40.0


@dataclass
class Prober:
    """An API engineer with the credentials of an application; ``environment`` is what a test adds."""

    service: RunningService
    application: ExampleApplication
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str = "") -> Result:
        """Run ``probe`` with these arguments, whatever comes of it."""
        environment: dict[str, str | None] = {name: None for name in os.environ if name.startswith("SENSOS_")}
        environment |= {
            "SENSOS_AUTH_DATA_DIR": str(self.service.data_folder),
            "SENSOS_AUTH_ISSUER": self.service.base_url,
            "SENSOS_BASE_URL": self.service.base_url,
            "SENSOS_TENANT_ID": self.application.tenant_id,
            "SENSOS_APPLICATION_ID": self.application.application_id,
            "SENSOS_APPLICATION_SECRET": self.application.secret,
        } | self.environment
        return CliRunner(env=environment).invoke(main, ["probe", *arguments], input=stdin)

    def report(self, *arguments: str) -> Any:  # noqa: ANN401 - a JSON object
        """Run ``probe`` with ``--json``, and return what it prints."""
        result = self.run(*arguments, "--json")
        document = json.loads(result.stdout)
        assert result.exit_code == (document["result"] == "failed"), result.output
        return document


def titles(report: Any) -> set[str]:  # noqa: ANN401 - a JSON object
    """Return the titles of the report's findings."""
    return {finding["title"] for finding in report["findings"]}


@contextmanager
def running_example(module: str, service: RunningService, log_file: Path) -> Iterator[str]:
    """Run an ASGI example, such as ``examples.wrong_services.talkative``, and return its base URL."""
    port = free_port()
    granian = str(Path(sys.executable).with_name("granian"))
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [granian, "--no-log", "--host", "127.0.0.1", "--port", str(port), "--interface", "asgi", f"{module}:app"],
            cwd=ROOT,
            env={**os.environ, "SENSOS_AUTH_ISSUER": service.base_url, "SENSOS_AUTH_AUDIENCE": AUDIENCE},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        base_url = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, base_url, log_file)
        yield base_url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with its worker, in a process group of their own
        process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", base_url: str, log_file: Path) -> None:
    give_up_at = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up_at:
        assert process.poll() is None, log_file.read_text()
        with suppress(httpx2.TransportError):
            httpx2.get(f"{base_url}/", trust_env=False)
            return
        time.sleep(0.05)
    raise AssertionError(f"the example does not answer:\n{log_file.read_text()}")
