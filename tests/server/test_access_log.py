"""One log line for each request. What is in it, and what never is, is in test_envelope and test_failures."""

import json
import os
import pty
import subprocess
import time
from pathlib import Path

import httpx2

from tests.running_service import COMMAND, RunningService, free_port


def test_every_request_has_one_line(service: RunningService) -> None:
    """By its request ID: whatever the path, the method and the status."""
    answers = [
        service.client.request(method, path)
        for method in ("GET", "POST", "DELETE", "OPTIONS")
        for path in ("/healthz", "/readyz", "/docs", "/v1/endpoint", "/v1/applications/token", "/nothing")
    ]
    for answer in answers:
        request_id = answer.headers["x-request-id"]
        line = service.wait_for_line(lambda line, wanted=request_id: line.get("request_id") == wanted)  # type: ignore[misc]
        assert line["status"] == answer.status_code
    logged = service.log_bytes()
    assert all(logged.count(answer.headers["x-request-id"].encode()) == 1 for answer in answers)


def test_lines_are_readable_on_a_terminal(tmp_path: Path) -> None:
    """There a person reads them: no JSON, but the same content, and no secret either."""
    port = free_port()
    ours, theirs = pty.openpty()
    environment = {"SENSOS_AUTH_DATA_DIR": str(tmp_path / "data"), "PATH": os.environ["PATH"], "TERM": "xterm"}
    arguments = [COMMAND, "serve", "--port", str(port), "--workers", "1"]
    with subprocess.Popen(arguments, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        try:
            with httpx2.Client(transport=httpx2.HTTPTransport(retries=8), trust_env=False) as client:
                answer = client.get(f"http://127.0.0.1:{port}/sensos_sk_canary?sensos_sk_canary")
            time.sleep(0.3)  # log lines are written with a little delay
            shown = os.read(ours, 65_536).decode()
        finally:
            process.kill()
            os.close(ours)
    assert answer.headers["x-request-id"] in shown
    for text in ("serving", "request", "GET", "404", "other"):
        assert text in shown
    assert "canary" not in shown
    for line in shown.splitlines():
        try:
            json.loads(line)
        except ValueError:
            continue
        raise AssertionError(f"this is JSON: {line}")
