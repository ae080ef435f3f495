"""Which endpoint answers, what every answer carries, and what becomes of exceptions."""

import io
import json
from typing import Any

import pytest

from sensos_auth.model.errors import ConfigurationError, InvalidInput, RegistryUnavailable
from sensos_auth.server.access_log import AccessLog
from sensos_auth.server.answers import NOT_FOUND, Answer, Endpoint, json_answer
from sensos_auth.server.asgi import Receive, Scope
from sensos_auth.server.envelope import Envelope
from sensos_auth.server.log_lines import configure_logging
from sensos_auth.server.log_sink import LogSink
from tests.server.asgi_calls import call, http_scope


class Enveloped:
    """An endpoint in an envelope, whose log lines are kept."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._stream = io.BytesIO()
        self._sink = LogSink(self._stream)
        configure_logging(self._sink)
        self.envelope = Envelope({"/known": endpoint}, AccessLog(self._sink, frozenset({"/known"})))

    def get(self, path: str = "/known", method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body."""
        start, *bodies = call(self.envelope, http_scope(method, path))
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return start["status"], headers, b"".join(message["body"] for message in bodies)

    def log_lines(self) -> list[dict[str, Any]]:
        """Return what was logged."""
        self._sink.start()
        self._sink.close()
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


async def good(_scope: Scope, _receive: Receive) -> Answer:
    """Answer 200."""
    return json_answer(b"{}")


def failing(error: BaseException) -> Endpoint:
    """Return an endpoint that raises."""

    async def endpoint(_scope: Scope, _receive: Receive) -> Answer:
        raise error

    return endpoint


def test_path_leads_to_its_endpoint() -> None:
    """With any method: the endpoint knows which it answers."""
    for method in ("GET", "BREW"):
        status, _, body = Enveloped(good).get(method=method)
        assert (status, body) == (200, b"{}")


@pytest.mark.parametrize(
    "path", ["/", "", "/KNOWN", "/known/", "//known", "/known/..", "/known\0", "known", "/known?x", "/kn\u00f6wn"]
)
def test_b16_any_other_path_is_404(path: str) -> None:
    """Nothing is normalised."""
    status, _, body = Enveloped(good).get(path)
    assert (status, body) == (404, NOT_FOUND.body)


@pytest.mark.parametrize("connection", [[], [(b"connection", b"close")], [(b"connection", b"keep-alive")]])
def test_z59_answers_of_a_leaving_worker_end_their_connections(connection: list[tuple[bytes, bytes]]) -> None:
    """Whatever the endpoint says of the connection; before, it is the endpoint's word."""

    async def endpoint(_scope: Scope, _receive: Receive) -> Answer:
        return json_answer(b"{}", *connection)

    enveloped = Enveloped(endpoint)
    assert enveloped.get()[1].get("connection") == (connection[0][1].decode() if connection else None)
    enveloped.envelope.end_connections()
    start, _ = call(enveloped.envelope, http_scope("GET", "/known"))
    assert [value for name, value in start["headers"] if name == b"connection"] == [b"close"]


def test_every_answer_has_a_request_id_of_its_own() -> None:
    """24 hexadecimal digits, the same in the log line; and nosniff."""
    enveloped = Enveloped(good)
    ids = []
    for _ in range(20):
        _, headers, _ = enveloped.get()
        assert headers["x-content-type-options"] == "nosniff"
        ids.append(headers["x-request-id"])
    assert len(set(ids)) == 20
    assert [line["request_id"] for line in enveloped.log_lines()] == ids


def test_o08_line_of_a_request() -> None:
    """What it says: time in UTC, method, path, status, milliseconds, request ID; no more."""
    enveloped = Enveloped(good)
    enveloped.get()
    (line,) = enveloped.log_lines()
    assert set(line) == {"event", "level", "timestamp", "method", "path", "status", "milliseconds", "request_id"}
    assert (line["event"], line["level"], line["method"], line["path"], line["status"]) == (
        *("request", "info", "GET", "/known", 200),
    )
    assert line["timestamp"].endswith(("Z", "+00:00"))
    assert 0 < line["milliseconds"] < 1000


@pytest.mark.parametrize(
    ("method", "path", "logged"),
    [
        ("GET", "/sensos_sk_canary", ("GET", "other")),
        ("GET", "/known/", ("GET", "other")),
        ("SENSOS_SK_CANARY", "/known", ("other", "/known")),
        ("get", "/KNOWN", ("other", "other")),
    ],
)
def test_o01_unknown_methods_and_paths_are_not_logged(method: str, path: str, logged: tuple[str, str]) -> None:
    """They could hold a secret by mistake."""
    enveloped = Enveloped(good)
    enveloped.get(path, method)
    (line,) = enveloped.log_lines()
    assert (line["method"], line["path"]) == logged


@pytest.mark.parametrize("error", [ValueError("secret-4711"), RecursionError("secret-4711"), KeyError("secret-4711")])
def test_o04_unexpected_exception_gets_503_and_is_logged_without_its_text(error: Exception) -> None:
    """Its type and places are; the request's line follows with the same request ID."""
    enveloped = Enveloped(failing(error))
    status, headers, body = enveloped.get()
    assert (status, json.loads(body)["error"]) == (503, "Service Unavailable")
    unexpected, request = enveloped.log_lines()
    assert (unexpected["event"], unexpected["exception"]) == ("unexpected exception", type(error).__name__)
    assert unexpected["request_id"] == request["request_id"] == headers["x-request-id"]
    assert request["status"] == 503
    assert "4711" not in str(unexpected) + str(headers) + body.decode()


@pytest.mark.parametrize(
    ("error", "event", "level"),
    [
        (RegistryUnavailable("the disk is full"), "registry unavailable", "warning"),
        (ConfigurationError("the disk is full"), "configuration at fault", "error"),
    ],
)
def test_503_says_why_in_the_log(error: Exception, event: str, level: str) -> None:
    """Errors that are ours, with a text that is written for the operator."""
    enveloped = Enveloped(failing(error))
    assert enveloped.get()[0] == 503
    line = enveloped.log_lines()[0]
    assert (line["event"], line["level"], line["reason"]) == (event, level, "the disk is full")


def test_z29_outage_is_told_once_a_second_and_not_for_each_request() -> None:
    """Each reason by itself. The requests' own lines are all there."""
    reasons = ["gone", "gone", "full", "gone", *(f"key {number}" for number in range(30))]
    waiting = iter(reasons)

    async def endpoint(_scope: Scope, _receive: Receive) -> Answer:
        raise RegistryUnavailable(next(waiting))

    enveloped = Enveloped(endpoint)
    for _ in reasons:
        assert enveloped.get()[0] == 503
    lines = enveloped.log_lines()
    assert [line["event"] for line in lines].count("request") == len(reasons)
    told = [line["reason"] for line in lines if line["event"] == "registry unavailable"]
    assert told == list(dict.fromkeys(reasons))


def test_faults_of_the_request_need_no_line_of_their_own() -> None:
    """The request's line has the status."""
    enveloped = Enveloped(failing(InvalidInput("tenantId is missing")))
    assert enveloped.get()[0] == 400
    assert [line["event"] for line in enveloped.log_lines()] == ["request"]
