"""Several workers are one service. How it starts, drains and survives is in tests/faults."""

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx2
import jwt
import pytest

from sensos_auth.registry.applications import disable_application, enable_application
from tests.running_service import COMMAND, JWKS_PATH, TOKEN_PATH, RunningService, free_port, running_service
from tests.server.contract import JSON_TYPE, token_body
from tests.server.raw_http import exchange, request_bytes

WORKERS = 3


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return a service with several workers."""
    with running_service(tmp_path_factory.mktemp("several") / "data", workers=WORKERS, at_once=True) as running:
        yield running


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells in /proc which process holds a connection")
def test_each_worker_answers(several: RunningService) -> None:
    """Fresh connections are spread over all of them."""
    assert len(several.worker_pids()) == WORKERS
    listening = Counter[int]()
    connections = [socket.create_connection(("127.0.0.1", several.port)) for _ in range(60)]
    for connection in connections:
        connection.sendall(request_bytes("GET", "/healthz"))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    for pid in several.worker_pids():
        links = [path.readlink().name for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()]
        listening[pid] = sum(link.startswith("socket:") for link in links)
    for connection in connections:
        connection.close()
    assert all(count > 5 for count in listening.values()), listening


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this policy")
def test_threads_that_read_sockets_don_t_interrupt_python(several: RunningService) -> None:
    """Every thread of a worker is scheduled as a batch job (sched(7)): one that wakes interrupts nobody."""
    for pid in several.worker_pids():
        threads = [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
        assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_BATCH}


def test_f13_workers_sign_with_one_key(several: RunningService) -> None:
    """They started together on an empty registry: one key was made, and all sign with it."""
    application = several.new_application()
    kids = set()
    for _ in range(30):
        answer = exchange(several.port, request_bytes("POST", TOKEN_PATH, [JSON_TYPE], token_body(application))).answer
        assert answer is not None
        kids.add(jwt.get_unverified_header(json.loads(answer.body)["accessToken"])["kid"])
    assert kids == {key["kid"] for key in several.client.get(JWKS_PATH).json()["keys"]}
    assert len(kids) == 1


def test_i03_workers_draw_different_random_numbers(several: RunningService) -> None:
    """Token IDs and request IDs of forked processes never meet."""
    application = several.new_application()
    request = request_bytes("POST", TOKEN_PATH, [JSON_TYPE], token_body(application))
    answers = [exchange(several.port, request).answer for _ in range(60)]
    token_ids = set()
    for answer in answers:
        assert answer is not None
        claims = jwt.decode(json.loads(answer.body)["accessToken"], options={"verify_signature": False})
        token_ids.add(claims["jti"])
    request_ids = {answer.header("x-request-id") for answer in answers if answer is not None}
    assert len(token_ids) == len(request_ids) == 60


def test_a28_a40_disabled_is_disabled_at_every_worker(several: RunningService) -> None:
    """No worker answers otherwise once the change is acknowledged, and none is late when it is undone."""
    application = several.new_application()
    request = request_bytes("POST", TOKEN_PATH, [JSON_TYPE], token_body(application))

    def statuses() -> set[int | None]:
        answers = [exchange(several.port, request).answer for _ in range(20)]
        return {None if answer is None else answer.status for answer in answers}

    assert statuses() == {200}
    for _ in range(3):
        with several.registry.change("test") as change:
            disable_application(change, application.application_id)
        assert statuses() == {401}
        with several.registry.change("test") as change:
            enable_application(change, application.application_id)
        assert statuses() == {200}


def test_etag_is_the_same_at_every_worker(several: RunningService) -> None:
    """Otherwise caches would never hit."""
    answers = [exchange(several.port, request_bytes("GET", JWKS_PATH)).answer for _ in range(20)]
    assert len({answer and answer.header("etag") for answer in answers}) == 1


@pytest.mark.parametrize("host", ["256.1.1.1", "host.invalid", "192.0.2.1"])
def test_address_that_cannot_be_had(tmp_path: Path, host: str) -> None:
    """Refused in one sentence that says what to do; nothing is started."""
    result = subprocess.run(
        [COMMAND, "serve", "--host", host, "--port", str(free_port())],
        env={"SENSOS_AUTH_DATA_DIR": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert result.returncode == 1
    assert f"cannot listen on {host} port " in result.stderr
    assert "Traceback" not in result.stderr


def test_ipv6(tmp_path: Path) -> None:
    """It listens where it is told to."""
    port = free_port()
    try:
        socket.create_server(("::1", port), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 here")
    with subprocess.Popen(
        [COMMAND, "serve", "--host", "::1", "--port", str(port), "--workers", "1"],
        env={"SENSOS_AUTH_DATA_DIR": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"},
        stderr=subprocess.DEVNULL,
    ) as process:
        transport = httpx2.HTTPTransport(retries=8)  # with growing pauses, until it listens
        with httpx2.Client(transport=transport, trust_env=False) as client:
            assert client.get(f"http://[::1]:{port}/readyz").status_code == 200
        process.terminate()
        assert process.wait(20) == 0


_SAYS_WHAT_HAS_STARTED = """
import multiprocessing, os, signal, sys
from sensos_auth.server.serving import serve

def started():
    print(len(multiprocessing.active_children()), file=sys.stderr)
    os.kill(os.getpid(), signal.SIGTERM)

serve(host="127.0.0.1", port=int(sys.argv[1]), workers=2, when_started=started)
"""


def test_whoever_waits_for_the_start_is_told_when_all_workers_are_forked(tmp_path: Path) -> None:
    """Not before: a thread that imports a module while they are forked leaves them its import lock, for ever."""
    ended = subprocess.run(
        [sys.executable, "-c", _SAYS_WHAT_HAS_STARTED, str(free_port())],
        env=os.environ | {"SENSOS_AUTH_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert "2" in ended.stderr.splitlines()  # among the log lines
