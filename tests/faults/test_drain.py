"""Z59: SIGTERM under load drops no request."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.faults.traffic import Ended, connect, read_answer, token_request, token_traffic
from tests.running_service import TOKEN_PATH, running_service, start_service

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("attempt", range(2))
def test_z59_sigterm_under_load_leaves_no_request_unanswered(tmp_path: Path, attempt: int) -> None:
    """Hundreds of connections a second, fresh and kept: all that could be sent is answered, and every answer logged."""
    service = start_service(tmp_path / "data", workers=2)
    application = service.new_application()
    with token_traffic(service.port, [application], kept=6, fresh=12) as traffic:
        traffic.wait_until(lambda asked: len(asked) > 300)
        time.sleep(random.random() * 0.2)  # noqa: S311 - SIGTERM at any point of the traffic
        began = time.monotonic()
        assert service.end() == 0, attempt
        assert time.monotonic() - began < 6
    assert traffic.unanswered() == []
    assert {asked.status for asked in traffic.asked} == {200}
    assert any(asked.sent_at > began for asked in traffic.asked)  # the service was still there for a while
    assert traffic.times_refused_to_connect > 0  # and in the end it was not
    lines = service.log_lines()
    logged = sum(line["event"] == "request" and line["path"] == TOKEN_PATH for line in lines)
    assert logged == len(traffic.asked)
    others = [line["event"] for line in lines if line["event"] != "request"]
    assert others == ["serving", "stopped"]


@pytest.mark.waits
def test_z59_a_leaving_service_says_so_and_waits_for_bodies_on_their_way(tmp_path: Path) -> None:
    """After SIGTERM readiness is 503, answers end their connections, what has begun is answered 2 s later."""
    with running_service(tmp_path / "data", workers=2) as service:
        application = service.new_application()
        request = token_request(application)
        assert "connection" not in service.ask(application).headers
        connections = [connect(service.port) for _ in range(8)]
        for connection in connections:
            connection.sendall(request[:-20])
        time.sleep(0.2)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        ready = service.client.get("/readyz")
        assert (ready.status_code, ready.headers["retry-after"], ready.headers["connection"]) == (503, "2", "close")
        answer = service.ask(application)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        time.sleep(2)
        assert service.process.poll() is None
        for connection in connections:
            connection.sendall(request[-20:])
            status, _, stays = read_answer(connection)
            assert (status, stays) == (200, False)
            connection.close()
        assert service.process.wait(3) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_z59_an_idle_service_ends_soon(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM to the whole process group, as systemd sends it, or Ctrl-C: status 0 within 3 s, nothing else logged."""
    with running_service(tmp_path / "data", workers=2) as service:
        assert service.ask(service.new_application()).status_code == 200
        began = time.monotonic()
        os.killpg(service.process.pid, number)
        assert service.process.wait(5) == 0
        assert time.monotonic() - began < 3
        others = [line["event"] for line in service.log_lines() if line["event"] != "request"]
        assert others == ["serving", "stopped"]


@pytest.mark.waits
def test_z59_z63_what_never_ends_is_ended_by_the_deadline(tmp_path: Path) -> None:
    """Headers and a body that never come whole, byte after byte: ended after 10 s, and so is the leaving service."""
    with running_service(tmp_path / "data") as service:
        request = token_request(service.new_application())
        with connect(service.port) as headers, connect(service.port) as body:
            headers.sendall(request[:40])
            body.sendall(request[:-100])
            time.sleep(0.2)
            began = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            for byte in request[-100:-92]:
                time.sleep(1)
                headers.sendall(b"x")
                body.sendall(bytes([byte]))
            assert read_answer(body)[0] == 400
            with pytest.raises((Ended, ConnectionError)):
                read_answer(headers)
            assert 9 < time.monotonic() - began < 12
            assert service.process.wait(3) == 0


@pytest.mark.waits
def test_z59_a_second_sigterm_cuts_off(tmp_path: Path) -> None:
    """Who is in a hurry sends it again: nothing is waited for any more, the log says so, the status is still 0."""
    with running_service(tmp_path / "data") as service:
        request = token_request(service.new_application())
        with connect(service.port) as connection:
            connection.sendall(request[:-20])
            time.sleep(0.2)
            service.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(2) == 0
        assert "worker cut off" in {line["event"] for line in service.log_lines()}


@pytest.mark.waits
@pytest.mark.parametrize(
    "signals", [[signal.SIGTERM, signal.SIGTERM], [signal.SIGHUP]], ids=["sigterm twice", "sighup"]
)
def test_z59_what_counts_as_one_sigterm(tmp_path: Path, signals: list[signal.Signals]) -> None:
    """The same signal twice in a moment, as timeout(1) sends it, and a closed terminal: what has begun is answered."""
    with running_service(tmp_path / "data") as service:
        request = token_request(service.new_application())
        with connect(service.port) as connection:
            connection.sendall(request[:-20])
            time.sleep(0.2)
            for number in signals:
                service.process.send_signal(number)
            time.sleep(1.5)
            connection.sendall(request[-20:])
            assert read_answer(connection)[0] == 200
        assert service.process.wait(5) == 0
        assert "worker cut off" not in {line["event"] for line in service.log_lines()}
