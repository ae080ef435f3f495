"""What a disturbance costs: how long a revocation takes to arrive through each."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.revocation.latency import revoke, watch
from benchmarks.revocation.verifiers import VerifierProcess, last_refusal, now, verifiers
from tests.running_service import AUDIENCE, RunningService, free_port, start_service
from tests.tcp_proxy import TcpProxy, tcp_proxy

Row = tuple[str, str, float]
PAUSED = 5.0
AWAY = 1.0


def measure(folder: Path, number: int) -> list[Row]:
    """Return for each disturbance what was measured, from when to when, and the seconds."""
    port = free_port()
    with tcp_proxy(port) as proxy:
        environment = {"SENSOS_AUTH_ISSUER": f"http://127.0.0.1:{proxy.port}"}
        service = start_service(folder, port=port, environment=environment)
        try:
            with verifiers(number, environment["SENSOS_AUTH_ISSUER"], AUDIENCE) as running:
                rows = [
                    _cut(service, running, proxy),
                    *_paused(service, running),
                    _stepped(service, running, 3600),
                    _stepped(service, running, -3600),
                    _half_open(service, running, proxy),
                ]
                for how in (signal.SIGTERM, signal.SIGKILL):
                    service, row = _restarted(service, running, how)
                    rows.append(row)
                return rows
        finally:
            service.end(at_once=True)


class _Watched:
    """A token that all verifiers have just found good."""

    _number = 0

    def __init__(self, service: RunningService, running: list[VerifierProcess]) -> None:
        _Watched._number += 1
        self.name = f"disturbed-{_Watched._number}"
        self._service = service
        self._application = service.new_application()
        self._token = service.token(self._application)
        watch(running, self.name, self._token)

    def revoke(self) -> float:
        return revoke(self._service, "token", self._application, self._token)


@contextmanager
def _settled() -> Iterator[None]:
    time.sleep(2.0)  # so that every verifier waits at the server again
    yield


def _cut(service: RunningService, running: list[VerifierProcess], proxy: TcpProxy) -> Row:
    with _settled():
        watched = _Watched(service, running)
        proxy.cut()
        returned_at = watched.revoke()
        took = last_refusal(running, watched.name) - returned_at
    return "all connections cut, then revoked", "call's return to refusal at the last verifier", took


def _paused(service: RunningService, running: list[VerifierProcess]) -> list[Row]:
    with _settled():
        watched = _Watched(service, running)
        paused, others = running[0], running[1:]
        paused.process.send_signal(signal.SIGSTOP)
        returned_at = watched.revoke()
        others_took = last_refusal(others, watched.name) - returned_at
        time.sleep(PAUSED)
        continued_at = now()
        paused.process.send_signal(signal.SIGCONT)
        took = last_refusal([paused], watched.name) - continued_at
    return [
        ("one verifier stopped (SIGSTOP)", "call's return to refusal at the last of the others", others_took),
        (f"and continued after {PAUSED:g} s", "SIGCONT to its own refusal", took),
    ]


def _stepped(service: RunningService, running: list[VerifierProcess], step: float) -> Row:
    with _settled():
        watched = _Watched(service, running)
        for verifier in running:
            verifier.set_clock(step)
        time.sleep(0.1)
        returned_at = watched.revoke()
        took = last_refusal(running, watched.name) - returned_at
        for verifier in running:
            verifier.set_clock(0)
    return f"wall clocks of all verifiers stepped by {step:+g} s", "call's return to refusal at the last verifier", took


def _half_open(service: RunningService, running: list[VerifierProcess], proxy: TcpProxy) -> Row:
    with _settled():
        watched = _Watched(service, running)
        proxy.swallows = True
        returned_at = watched.revoke()
        time.sleep(1)
        proxy.swallows = False  # the connections that were open stay dead: their polls and answers are lost
        took = last_refusal(running, watched.name) - returned_at
    return "bytes swallowed for 1 s, connections left open and dead", "call's return to refusal at the last", took


def _restarted(
    service: RunningService, running: list[VerifierProcess], how: signal.Signals
) -> tuple[RunningService, Row]:
    with _settled():
        watched = _Watched(service, running)
        service.end(at_once=how is signal.SIGKILL)
        time.sleep(AWAY)
        again = start_service(service.data_folder, port=service.port, environment=service.environment)
        ready_at = now()
        watched._service = again  # noqa: SLF001 - this module's own
        returned_at = watched.revoke()
        took = last_refusal(running, watched.name) - returned_at
    what = f"service ended by {how.name}, started again after {AWAY:g} s, revoked at once when ready"
    assert returned_at >= ready_at
    return again, (what, "call's return to refusal at the last verifier", took)
