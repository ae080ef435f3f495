"""The middleware under a real ASGI server, asked with bytes that no HTTP client would send."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.verifying.issued import APPLICATION, GOOD_TOKEN, KEY, IssuingKey, jwks_of
from tests.verifying.jwks_server import document, serving

ROOT = Path(__file__).parents[2]
BODY = b'{"error":"Unauthorized","message":"Invalid or expired access token"}'
GOOD = b"Bearer " + GOOD_TOKEN.encode()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Start the application on a free port, with its keys from a real JWKS URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
    with serving(document(jwks_of(KEY))) as jwks_server:
        process = subprocess.Popen(
            [
                *(Path(sys.executable).with_name("granian"), "--interface", "asgi", "--host", "127.0.0.1"),
                *("--port", str(number), "--no-log", "tests.verifying.protected_app:app"),
            ],
            cwd=ROOT,
            env={**os.environ, "TEST_JWKS_URL": jwks_server.url, "PYTHONPATH": str(ROOT)},
        )
        try:
            _wait_until_ready(number)
            yield number
        finally:
            process.terminate()
            process.wait(20)


def _wait_until_ready(port: int) -> None:
    """Wait until the server listens and its keys have arrived: until then the answer is 503."""
    deadline = time.monotonic() + 20
    while True:
        try:
            if _ask(port, b"Authorization: " + GOOD)[0] == 200:
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.05)


def _ask(port: int, *headers: bytes, request: bytes = b"GET /who HTTP/1.1") -> tuple[int, dict[bytes, bytes], bytes]:
    """Send the lines as they are, and return the answer's status, headers and body; status 0 for none."""
    lines = [request, b"Host: 127.0.0.1", b"Connection: close", *headers, b"", b""]
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"\r\n".join(lines))
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    if not answer:
        return 0, {}, b""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = head.split(b"\r\n")
    return int(status.split()[1]), {n.lower(): v.strip() for n, _, v in (f.partition(b":") for f in fields)}, body


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([b"Authorization: " + GOOD], id="usual"),
        pytest.param([b"AUTHORIZATION: bearer " + GOOD_TOKEN.encode()], id="g03-any-case"),
        pytest.param([b"authorization:   " + GOOD + b"  \t"], id="white-space-around-the-value"),
    ],
)
def test_good_header_lets_in(port: int, headers: list[bytes]) -> None:
    """A good token gets through, and white space around a header's value is no part of it (RFC 9110 section 5.5)."""
    status, _, body = _ask(port, *headers)
    assert (status, body) == (200, APPLICATION.encode())


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        pytest.param([], b"Bearer", id="g01-none"),
        pytest.param([b"Authorization:"], b"Bearer", id="empty"),
        pytest.param([b"Authorization: Basic eDp5"], b"Bearer", id="g04-basic"),
        pytest.param([b"Authorization: " + GOOD_TOKEN.encode()], b"Bearer", id="g04-no-scheme"),
        pytest.param([b"Proxy-Authorization: " + GOOD], b"Bearer", id="g11-proxy-authorization"),
        pytest.param([b"Cookie: access_token=" + GOOD_TOKEN.encode()], b"Bearer", id="g07-cookie"),
        pytest.param([b"Authorization: Bearer"], b'Bearer error="invalid_token"', id="g02-scheme-only"),
        pytest.param([b"Authorization: Bearer  " + GOOD_TOKEN.encode()], b'Bearer error="invalid_token"', id="g02-two"),
        pytest.param([b"Authorization: Bearer\t" + GOOD_TOKEN.encode()], b'Bearer error="invalid_token"', id="g02-tab"),
        pytest.param([b"Authorization: " + GOOD] * 2, b'Bearer error="invalid_token"', id="g05-same-twice"),
        pytest.param(
            [b"Authorization: " + GOOD, b"authorization: Bearer x"],
            b'Bearer error="invalid_token"',
            id="g05-good-first",
        ),
        pytest.param(
            [b"Authorization: Basic eDp5", b"Authorization: " + GOOD],
            b'Bearer error="invalid_token"',
            id="g05-good-last",
        ),
        pytest.param([b"Authorization: " + GOOD + b", " + GOOD], b'Bearer error="invalid_token"', id="q13-merged"),
        pytest.param([b"Authorization: " + GOOD + b"\xff"], b'Bearer error="invalid_token"', id="g10-latin-1"),
        pytest.param([b"Authorization: Bearer " + b"a" * 20_000], b'Bearer error="invalid_token"', id="d22-20-kb"),
        pytest.param(
            [b"Authorization: Bearer " + IssuingKey().token().encode()], b'Bearer error="invalid_token"', id="other-key"
        ),
    ],
)
def test_other_headers_get_the_contracts_401(port: int, headers: list[bytes], challenge: bytes) -> None:
    """Status, body, type, challenge and no-store are the contract's, byte for byte."""
    status, fields, body = _ask(port, *headers)
    assert (status, body) == (401, BODY)
    assert fields[b"www-authenticate"] == challenge
    assert fields[b"content-type"] == b"application/json"
    assert fields[b"cache-control"] == b"no-store"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([b"Authorization: " + GOOD + b"\0"], id="g10-nul"),
        pytest.param([b"Authorization: Bearer", b" " + GOOD_TOKEN.encode()], id="g10-obs-fold"),
        pytest.param([b"Authorization : " + GOOD], id="space-before-the-colon"),
        pytest.param([b"Authorization: Bearer " + b"a" * 100_000], id="g09-100-kb"),
    ],
)
def test_malformed_http_lets_nobody_in(port: int, headers: list[bytes]) -> None:
    """What the server itself refuses never reaches the application; a closed connection will do."""
    try:
        status = _ask(port, *headers)[0]
    except ConnectionError:
        status = 0
    assert status in {0, 400, 401, 431}


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS", b"POST", b"TRACE", b"DELETE", b"PURGE"])
def test_g14_every_method_needs_a_token(port: int, method: bytes) -> None:
    """No method is an exception; HEAD gets the same headers without the body."""
    status, fields, body = _ask(port, request=method + b" /who HTTP/1.1")
    assert status == 401
    assert body == (b"" if method == b"HEAD" else BODY)
    assert fields[b"www-authenticate"] == b"Bearer"


def test_g15_websocket_does_not_open(port: int) -> None:
    """An upgrade with a good token is refused all the same."""
    lines = [
        *(b"GET /who HTTP/1.1", b"Host: 127.0.0.1", b"Upgrade: websocket", b"Connection: Upgrade"),
        *(b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
        *(b"Authorization: " + GOOD, b"", b""),
    ]
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"\r\n".join(lines))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 403 ")
