"""The master key is rotated beside a service at work: tokens go on, and so do workers that start later."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.running_service import COMMAND, ExampleApplication, RunningService, running_service

pytestmark = [pytest.mark.slow, pytest.mark.waits]


def _keep_asking(service: RunningService, application: ExampleApplication, seconds: float) -> None:
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        assert service.ask(application).status_code == 200


def _run(service: RunningService, *arguments: str) -> None:
    ended = subprocess.run(
        [COMMAND, *arguments], env=service.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_z05_i13_master_key_is_rotated_beside_a_running_service(tmp_path: Path) -> None:
    """Twice; then another signing key takes over, which workers open that began with the first master key."""
    with running_service(tmp_path / "data", workers=2, at_once=True) as service:
        application = service.new_application()
        token = service.token(application)
        master_key = service.data_folder / "master.key"
        before = master_key.read_text()
        for _ in range(2):
            rewrap = subprocess.Popen(
                [COMMAND, "keys", "rewrap"], env=service.environment, stdout=subprocess.DEVNULL, start_new_session=True
            )
            while rewrap.poll() is None:
                _keep_asking(service, application, 0.02)
            assert rewrap.returncode == 0
        assert master_key.read_text() != before
        _run(service, "keys", "rotate", "--immediately")
        _keep_asking(service, application, 0.3)
        answer = service.client.get("/v1/endpoint", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        victim = service.worker_pids()[0]
        time.sleep(6)  # the service ends when a worker dies as young as that
        os.kill(victim, signal.SIGKILL)
        give_up_at = time.monotonic() + 10
        while victim in service.worker_pids() or len(service.worker_pids()) < 2:
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
        service.wait_until_ready()
        _keep_asking(service, application, 0.3)
        assert not [line for line in service.log_lines() if line["event"] == "configuration at fault"]


def test_z05_killed_rotations_leave_a_service_that_goes_on_and_starts(tmp_path: Path) -> None:
    """``keys rewrap`` killed at random moments beside a service; then the service is killed, and starts anew."""
    data_folder = tmp_path / "data"
    with running_service(data_folder, at_once=True) as service:
        application = service.new_application()
        for milliseconds in range(150, 450, 40):
            rewrap = subprocess.Popen(
                [COMMAND, "keys", "rewrap"],
                env=service.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            time.sleep(milliseconds / 1000)
            rewrap.kill()
            rewrap.wait()
            assert service.ask(application).status_code == 200
    with running_service(data_folder, at_once=True) as service:
        assert service.ask(application).status_code == 200
        _run(service, "keys", "rewrap")
        assert len((data_folder / "master.key").read_text().split()) == 1
