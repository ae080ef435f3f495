"""Schemathesis fires at the running service what its description allows, and what it does not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running_service import RunningService, running_service
from tests.server.management.asking import EVERYTHING

_COMMAND = str(Path(sys.executable).with_name("schemathesis"))
_HERE = Path(__file__).parent
# What a description can't say (printable names, an idempotency key that was used before) is refused all the same.
_CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method,use_after_free,ensure_resource_availability"
)


def fire(service: RunningService, *options: str) -> str:
    """Run it as an operator who may do everything, and return its report; fail when it found something."""
    caller = service.new_application(scope=EVERYTHING)
    ended = subprocess.run(
        [
            _COMMAND,
            "run",
            f"{service.base_url}/openapi.json",
            "--include-path-regex",
            "^/v1/(tenants|applications$|applications/[{]|secrets|signing-keys|tokens|audit-events|usage|verifiers)",
            "--checks",
            _CHECKS,
            "--continue-on-failure",
            "--no-color",
            *options,
        ],
        env=service.environment
        | {
            "SCHEMATHESIS_HOOKS": "schemathesis_caller",
            "PYTHONPATH": str(_HERE),
            "CALLER_SCOPE": EVERYTHING,
            "CALLER_TENANT": caller.tenant_id,
            "CALLER_APPLICATION": caller.application_id,
            "CALLER_REGISTRY": f"sqlite:///{service.registry_file}",
            "CALLER_SERVICE": service.base_url,
        },
        cwd=service.data_folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    unexpected = [line for line in service.log_lines() if line["event"] == "unexpected exception"]
    assert unexpected == []
    return ended.stdout


def cases(report: str) -> int:
    """Return how many requests it made up."""
    match = re.search(r"(\d+) generated", report)
    assert match is not None, report[-2000:]
    return int(match[1])


@pytest.mark.slow
@pytest.mark.waits
@pytest.mark.timeout(400)
def test_j18_every_answer_is_described(tmp_path: Path) -> None:
    """No 5xx, no undocumented status, header or body, and nothing malformed is accepted.

    For the examples, every limit, made-up requests, and chains of them that use what the ones before have made.
    """
    with running_service(tmp_path / "data", at_once=True) as service:
        report = fire(service, "--phases", "examples,coverage,fuzzing,stateful", "-n", "5", "--seed", "2")
    assert cases(report) > 1000
