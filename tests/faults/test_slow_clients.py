"""Z61 to Z63: clients that are slow, many or greedy do not take the service from the others."""

import os
import resource
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults.traffic import Client, connect, read_answer, token_request
from tests.running_service import TOKEN_PATH, ExampleApplication, RunningService, running_service, start_service

pytestmark = pytest.mark.slow

_LARGEST_BODY = 8 * 1024


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def request_times(port: int, application: ExampleApplication, number: int) -> list[float]:
    """Return the seconds that each of some token requests took; all must be answered."""
    client = Client(port, keeps_alive=False)
    times = []
    for _ in range(number):
        asked = client.ask(application)
        assert asked is not None
        assert asked.status == 200, asked.trouble
        times.append(asked.seconds)
    return times


def test_z61_many_large_bodies_take_no_memory(tmp_path: Path) -> None:
    """10 000 bodies of the largest size, each refused: a worker grows by less than 16 MiB."""
    filled = b'{"tenantId":"' + b"x" * (_LARGEST_BODY - 15) + b'"}'
    assert len(filled) == _LARGEST_BODY
    head = f"POST {TOKEN_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(filled)}"
    request = head.encode() + b"\r\n\r\n" + filled
    with running_service(tmp_path / "data", at_once=True) as service, connect(service.port) as connection:
        (worker,) = service.worker_pids()
        grown = []
        for _ in range(10):
            for _ in range(100):
                connection.sendall(request * 10)
                for _ in range(10):
                    received = read_answer_exactly(connection)
                    assert received == 400
            grown.append(resident_bytes(worker))
        assert grown[-1] - grown[0] < 16 * 1024 * 1024
        assert grown[-1] < 128 * 1024 * 1024


def read_answer_exactly(connection: socket.socket) -> int:
    """Read one of several answers on the way, byte for byte, and return its status."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    left = int(length.split(b":")[1])
    while left:
        left -= len(connection.recv(left))
    return int(head.split(b" ", 2)[1])


@contextmanager
def slow_connections(service: RunningService, application: ExampleApplication, number: int) -> Iterator[None]:
    """Hold connections open: half of them in the middle of the headers, half in the middle of the body."""
    request = token_request(application)
    with ExitStack() as connections:
        for turn in range(number):
            connection = connections.enter_context(connect(service.port))
            connection.sendall(request[:40] if turn % 2 else request[:-20])
        yield


def test_z63_slow_clients_do_not_slow_the_good_ones(tmp_path: Path) -> None:
    """2 000 half-sent requests held open: good requests are all answered, 99 of 100 within twice the time."""
    with running_service(tmp_path / "data", at_once=True) as service:
        application = service.new_application()
        request_times(service.port, application, 200)
        before = request_times(service.port, application, 600)
        with slow_connections(service, application, 2_000):
            during = request_times(service.port, application, 600)
        p99_before, p99_during = (statistics.quantiles(times, n=100)[98] for times in (before, during))
        assert p99_during < max(2 * p99_before, 0.05)
        assert max(during) < 2
        assert statistics.median(during) < 2 * statistics.median(before)


def test_z62_running_out_of_files_is_survived(tmp_path: Path) -> None:
    """256 files for the service, 400 connections: no spinning, the first ones served, the rest when there is room."""
    service = start_service(tmp_path / "data", under=["prlimit", "--nofile=256"])
    try:
        application = service.new_application()
        (worker,) = service.worker_pids()
        with ExitStack() as connections:
            held = [connections.enter_context(connect(service.port)) for _ in range(400)]
            held[0].sendall(token_request(application))
            assert read_answer(held[0])[0] == 200
            spent = cpu_seconds(worker)
            time.sleep(1)
            assert cpu_seconds(worker) - spent < 0.3
        assert {service.ask(application).status_code for _ in range(20)} == {200}
        assert service.worker_pids() == [worker]
    finally:
        assert service.end() == 0


def test_z79_a_log_that_nobody_reads_holds_up_nobody(tmp_path: Path) -> None:
    """Standard error is a pipe that is full: requests are answered as ever, and SIGTERM still ends the service."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    unread = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    service = start_service(tmp_path / "data", under=["sh", "-c", f'exec "$@" 2> {pipe}', "sh"])
    application = service.new_application()
    times = request_times(service.port, application, 1_000)  # some 200 KiB of log lines, into a pipe of 64 KiB
    began = time.monotonic()
    assert service.end() == 0
    assert time.monotonic() - began < 8
    os.close(unread)
    assert max(times) < 1
