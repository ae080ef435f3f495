"""The whole service called in this process, without a network: the finest measure."""

import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns

from benchmarks.timing.planted_leak import leak, sample_header
from sensos_auth.registry import open_registry
from sensos_auth.registry.location import database_url
from sensos_auth.server.asgi import Header, Message
from sensos_auth.server.draining import Drain
from sensos_auth.server.log_lines import configure_logging
from sensos_auth.server.log_sink import LogSink
from sensos_auth.server.serving import prepare
from sensos_auth.server.token_endpoint import PATH
from sensos_auth.server.worker import service


@dataclass(frozen=True)
class Call:
    """A request as ASGI has it."""

    headers: list[Header]
    body: bytes

    async def receive(self) -> Message:
        """Return the body."""
        return {"type": "http.request", "body": self.body, "more_body": False}


def call(body: bytes, *, leaky: bool = False) -> Call:
    """Return the token request with this body."""
    host: Header = (b"host", b"127.0.0.1")
    length: Header = (b"content-length", b"%d" % len(body))
    return Call([host, (b"content-type", b"application/json"), length, sample_header(leaky=leaky)], body)


class InProcess:
    """The service over the registry in a folder. Its log lines are written to nowhere, its answers compared."""

    def __init__(self, folder: Path) -> None:
        environment = {"SENSOS_AUTH_DATA_DIR": str(folder)}
        sink = LogSink(Path(os.devnull).open("wb"))  # noqa: SIM115 - as long as the process
        configure_logging(sink)
        prepare(environment)
        sink.start()
        self._service = service(open_registry(database_url(environment)), environment, sink, Drain()).envelope
        self._expected: tuple[object, ...] | None = None

    async def measure(self, request: Call) -> int:
        """Send a request that is refused; return the nanoseconds until the whole answer was there."""
        answer: list[Message] = []
        scope = {"type": "http", "method": "POST", "path": PATH, "headers": request.headers}

        async def send(message: Message) -> None:
            answer.append(message)

        started = perf_counter_ns()
        leak(scope)
        await self._service(scope, request.receive, send)
        took = perf_counter_ns() - started
        self._compare(answer)
        return took

    def _compare(self, answer: list[Message]) -> None:
        start, body = answer
        headers: list[Header] = [header for header in start["headers"] if header[0] != b"x-request-id"]
        said = (start["status"], headers, body["body"])
        if self._expected is None:
            assert start["status"] == 401, said
            self._expected = said
        if said != self._expected:
            raise SystemExit(f"Answers differ: {said} and {self._expected}")
