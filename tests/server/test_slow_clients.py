"""Clients that are slow on purpose: they are ended after ten seconds, and nobody else notices them."""

import asyncio
import contextlib
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.running_service import TOKEN_PATH, ExampleApplication, RunningService, running_service
from tests.server.contract import JSON_TYPE, error_body, token_body
from tests.server.raw_http import RawConnection, request_bytes

pytestmark = pytest.mark.slow

TOO_SLOW = "The body did not arrive within 10 seconds"
DEADLINE = 10.0  # seconds, for the headers and again for the body
EACH_KIND = 50


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[RunningService]:
    """Return a service that nobody else talks to."""
    with running_service(tmp_path / "data", at_once=True) as running:
        yield running


@dataclass(frozen=True)
class Slow:
    """A kind of slow client: what it sends at once, what it goes on with, a byte at a time, and how often (seconds)."""

    name: str
    begins: bytes
    goes_on: bytes
    every: float


def _kinds(application: ExampleApplication) -> list[Slow]:
    body = token_body(application)
    with_length = [JSON_TYPE, ("Content-Length", str(len(body)))]
    chunked = [JSON_TYPE, ("Transfer-Encoding", "chunked")]
    headers = request_bytes("POST", TOKEN_PATH, with_length)
    return [
        Slow("nothing at all", b"", b"", 60),
        Slow("headers, a byte a second", b"", headers[:60], 1),
        Slow("headers, then silence", headers[:-2], b"", 60),
        Slow("headers without an end", b"GET / HTTP/1.1\r\n", b"X: aaaaaaaaaaaaaaaaaaaaaaaa", 0.5),
        Slow("b10 three bytes of the body, then silence", headers + body[:3], b"", 60),
        Slow("body, a byte a second", headers, body[:60], 1),
        Slow("chunks, one a second", request_bytes("POST", TOKEN_PATH, chunked), b"1\r\n \r\n" * 10, 0.3),
        Slow("a chunk's size, then silence", request_bytes("POST", TOKEN_PATH, chunked) + b"ff", b"", 60),
    ]


@dataclass(frozen=True)
class Ended:
    """How a slow client was ended: after how many seconds, with what."""

    kind: Slow
    seconds: float
    received: bytes


async def _be_slow(port: int, kind: Slow) -> Ended:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started = time.perf_counter()

    async def go_on() -> None:
        writer.write(kind.begins)
        for byte in kind.goes_on:
            await asyncio.sleep(kind.every)
            writer.write(bytes([byte]))

    sending = asyncio.create_task(go_on())
    try:
        received = await asyncio.wait_for(reader.read(), DEADLINE * 2 + 5)
    except ConnectionResetError:
        received = b""
    sending.cancel()
    writer.close()
    return Ended(kind, time.perf_counter() - started, received)


async def _all_at_once(port: int, kinds: list[Slow]) -> list[Ended]:
    return await asyncio.gather(*(_be_slow(port, kind) for kind in kinds * EACH_KIND))


def _p99(service: RunningService, application: ExampleApplication, seconds: float) -> float:
    """Return the 99th percentile of the time of good requests, in seconds."""
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        assert service.ask(application).status_code == 200
        times.append(time.perf_counter() - started)
    return statistics.quantiles(times, n=100)[98]


def test_b10_p01_slow_clients_are_ended_and_hold_up_nobody(own_service: RunningService) -> None:
    """400 at once, of eight kinds: each is gone after its ten seconds, and good requests take as long as before."""
    application = own_service.new_application()
    kinds = _kinds(application)
    before = _p99(own_service, application, 2)
    ended: list[Ended] = []
    slow = threading.Thread(target=lambda: ended.extend(asyncio.run(_all_at_once(own_service.port, kinds))))
    slow.start()
    time.sleep(1)
    meanwhile = _p99(own_service, application, 6)
    slow.join()

    assert len(ended) == len(kinds) * EACH_KIND
    for one in ended:
        # A body begins when its headers are there, so both deadlines together are the most that anybody gets.
        assert DEADLINE - 1 < one.seconds < DEADLINE + 3, one
        assert b"HTTP/1.1 200" not in one.received
        if b" 400 " in one.received:
            assert one.received.endswith(b"\r\n\r\n" + error_body(400, TOO_SLOW))
            assert b"connection: close" in one.received
    assert {one.kind.name for one in ended if b" 400 " in one.received} >= {kinds[4].name, kinds[5].name}
    assert meanwhile < 2 * before + 0.005, (before, meanwhile)
    line = own_service.wait_for_line(lambda line: line.get("status") == 400)
    assert DEADLINE * 1000 - 100 < line["milliseconds"] < DEADLINE * 1000 + 3000
    assert {line["level"] for line in own_service.log_lines()} == {"info"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells in /proc how much memory a process has")
def test_b21_clients_that_never_read(own_service: RunningService) -> None:
    """Fifty that send requests without end and read no answer: memory stays bounded, others are served."""
    application = own_service.new_application()
    assert own_service.ask(application).status_code == 200
    (worker,) = own_service.worker_pids()
    before = _resident_kib(worker)
    requests = request_bytes("GET", "/docs") * 2000
    connections = [RawConnection(own_service.port) for _ in range(50)]
    try:
        for connection in connections:
            connection._socket.settimeout(0)
        for _ in range(20):
            for connection in connections:
                with contextlib.suppress(BlockingIOError):
                    connection._socket.send(requests)
            assert own_service.ask(application).status_code == 200
            time.sleep(0.05)
        assert _resident_kib(worker) - before < 64 * 1024
    finally:
        for connection in connections:
            connection.close()
    assert own_service.ask(application).status_code == 200


def _resident_kib(pid: int) -> int:
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1])
