"""Z11 and what is near it: a worker is killed, the parent is killed."""

import os
import signal
import socket
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.traffic import token_traffic
from tests.running_service import RunningService, running_service, start_service

pytestmark = pytest.mark.slow


def _wait_for_workers(service: RunningService, number: int, other_than: int, seconds: float) -> float:
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        workers = service.worker_pids()
        if len(workers) == number and other_than not in workers:
            return time.monotonic() - began
        time.sleep(0.01)
    raise AssertionError(f"no {number} workers within {seconds} s")


def test_z11_a_killed_worker_is_back_and_only_its_own_requests_fail(tmp_path: Path) -> None:
    """A request or two of each client get no answer, none of them sent later than the kill."""
    with running_service(tmp_path / "data", workers=2) as service:
        application = service.new_application()
        with token_traffic(service.port, [application], kept=6, fresh=6) as traffic:
            traffic.wait_until(lambda asked: len(asked) > 200)
            victim = service.worker_pids()[0]
            os.kill(victim, signal.SIGKILL)
            killed_at = time.monotonic()
            assert _wait_for_workers(service, 2, victim, 1.0) < 1.0
            traffic.wait_until(lambda asked: asked[-1].sent_at > killed_at + 1.5)
        unanswered = traffic.unanswered()
        assert len(unanswered) <= 24
        assert all(asked.sent_at < killed_at + 0.1 for asked in unanswered)
        assert {asked.status for asked in traffic.asked} <= {0, 200}
        assert traffic.times_refused_to_connect == 0
        assert service.end() == 0
    events = [line["event"] for line in service.log_lines() if line["event"] != "request"]
    assert events in (
        ["serving", "Unexpected exit from worker-1", "stopped"],
        ["serving", "Unexpected exit from worker-2", "stopped"],
    )


def test_z11_a_worker_that_dies_again_at_once_ends_the_service(tmp_path: Path) -> None:
    """Killed, and its successor killed within 5.5 s: status 1 and a log line, so that a supervisor takes over."""
    with running_service(tmp_path / "data", workers=2) as service:
        first = service.worker_pids()
        os.kill(first[0], signal.SIGKILL)
        _wait_for_workers(service, 2, first[0], 1.0)
        (successor,) = set(service.worker_pids()) - set(first)
        os.kill(successor, signal.SIGKILL)
        assert service.process.wait(5) == 1
        assert "Worker crash loop detected, exiting" in {line["event"] for line in service.log_lines()}


def test_z11_a_service_that_has_only_just_started_ends_as_well(tmp_path: Path) -> None:
    """SIGTERM while workers are still on their way up: each of them ends, and the status is 0."""
    for number in range(2):
        with running_service(tmp_path / f"data-{number}", workers=3) as service:
            began = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(5) == 0
            assert time.monotonic() - began < 3


def test_z11_workers_end_when_their_parent_is_killed_and_the_port_is_free(tmp_path: Path) -> None:
    """Within 3 s, and the next service starts on the same port over the same registry."""
    with running_service(tmp_path / "data", workers=2) as service:
        application = service.new_application()
        workers = service.worker_pids()
        service.process.kill()
        began = time.monotonic()
        while any(Path(f"/proc/{pid}").exists() and _is_running(pid) for pid in workers):
            assert time.monotonic() < began + 3
            time.sleep(0.01)
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", service.port))
        successor = start_service(tmp_path / "data", port=service.port)
        try:
            assert successor.ask(application).status_code == 200
        finally:
            successor.end()


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
