"""Reading a body, message by message, as the HTTP server hands it over."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.server.answers import Refusal
from sensos_auth.server.asgi import Message, Receive, Scope, Send
from sensos_auth.server.deadline import Deadline
from sensos_auth.server.request_body import read_json_body
from tests.server.asgi_calls import body_messages, call, http_scope

JSON = (b"content-type", b"application/json")
LARGEST = 100


def _read(*messages: Message, headers: tuple[tuple[bytes, bytes], ...] = (JSON,)) -> bytes | int:
    """Return the body, or the status of the refusal."""
    found: list[bytes | int] = []

    async def application(scope: Scope, receive: Receive, _send: Send) -> None:
        try:
            found.append(await read_json_body(scope, receive, LARGEST))
        except Refusal as refusal:
            found.append(refusal.answer.status)

    call(application, http_scope("POST", "/", *headers), *messages)
    return found[0]


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=8))
def test_body_is_put_together_or_refused_as_too_large(parts: list[bytes]) -> None:
    """However it is cut; the limit holds for the whole."""
    body = b"".join(parts)
    assert _read(*body_messages(*parts)) == (body if len(body) <= LARGEST else 413)


def test_too_large_is_refused_before_the_rest_arrives() -> None:
    """What comes after the limit is not waited for."""
    started = time.perf_counter()
    assert _read({"type": "http.request", "body": bytes(LARGEST + 1), "more_body": True}) == 413
    assert time.perf_counter() - started < 1


def test_disconnect_within_the_body() -> None:
    """400: what is there of it is not looked at."""
    first, _ = body_messages(b"{", b"}")
    assert _read(first, {"type": "http.disconnect"}) == 400
    assert _read({"type": "http.disconnect"}) == 400


def test_body_of_its_announced_length_is_whole() -> None:
    """Nothing more is waited for, though the HTTP server would say one more time that it has ended."""
    started = time.perf_counter()
    headers = (JSON, (b"content-length", b"2"))
    assert _read({"type": "http.request", "body": b"{}", "more_body": True}, headers=headers) == b"{}"
    assert time.perf_counter() - started < 1


def test_cancelling_from_outside_is_not_taken_for_the_deadline() -> None:
    """Who cancels the request is told so, and the timer goes with it."""

    async def never() -> Message:
        await asyncio.sleep(3600)
        raise AssertionError("nobody waits for so long")

    async def read() -> None:
        reading = asyncio.create_task(read_json_body(http_scope("POST", "/", JSON), never, LARGEST))
        await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(read())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param((JSON, (b"content-length", b"101")), 413, id="b11-length"),
        pytest.param((JSON, (b"content-length", b"100")), b"{}", id="b11-length-at-the-limit"),
        pytest.param((JSON, (b"transfer-encoding", b"chunked")), b"{}", id="b06-chunked"),
        pytest.param((JSON, (b"transfer-encoding", b"Chunked")), b"{}", id="b06-chunked-in-any-case"),
        pytest.param((JSON, (b"transfer-encoding", b"gzip, chunked")), 400, id="b06-gzip"),
        pytest.param((JSON, JSON), 400, id="b05-two-types"),
        pytest.param((), 415, id="b02-no-type"),
        pytest.param((JSON, (b"content-encoding", b"gzip")), 415, id="b13-encoding"),
    ],
)
def test_headers(headers: tuple[tuple[bytes, bytes], ...], expected: bytes | int) -> None:
    """They are looked at before the body is."""
    assert _read(*body_messages(b"{}"), headers=headers) == expected


def test_b10_deadline_is_for_the_whole_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that drip in don't prolong it. The ten seconds of the running service are in test_slow_clients."""
    monkeypatch.setattr("sensos_auth.server.request_body._DEADLINE", Deadline(0.2))
    found = []

    async def drip() -> Message:
        await asyncio.sleep(0.05)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def read() -> None:
        started = time.perf_counter()
        with pytest.raises(Refusal) as refused:
            await read_json_body(http_scope("POST", "/", JSON), drip, LARGEST)
        found.append((refused.value.answer.status, time.perf_counter() - started < 1))

    asyncio.run(read())
    assert found == [(400, True)]
