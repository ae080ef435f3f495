import asyncio
import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from sensos_auth.verifying.feed_connection import LARGEST_ANSWER, Answer, FeedConnection, NoAnswer
from tests.client.certificates import new_authority
from tests.verifying.jwks_server import document, serving

DEADLINE = 0.5  # seconds


async def _get(url: str, token: str | None = None) -> Answer:
    async with FeedConnection() as connection:
        return await connection.get(url, DEADLINE, token)


def test_answer_comes_back_whole() -> None:
    """Status, body and headers, after a request that shows the token and asks for no compression."""
    with serving(document(b"{}", 401, X_Test="1")) as server:
        answer = asyncio.run(_get(server.url, "a.b.c"))
    assert (answer.status, answer.body, answer.headers["x-test"]) == (401, b"{}", "1")
    assert server.headers["authorization"] == "Bearer a.b.c"
    assert server.headers["accept-encoding"] == "identity"


def test_plain_http_to_this_machine_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the feed nor the verifier's secret passes a proxy of the environment on the way to this machine."""
    with serving(document(b"of the proxy")) as proxy, serving(document(b"{}")) as issuer:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        assert asyncio.run(_get(issuer.url)).body == b"{}"
        assert proxy.paths == []


@pytest.mark.parametrize(("status", "connections"), [(200, 1), (304, 1), (401, 1), (500, 2), (503, 2)])
def test_issuer_that_cannot_answer_is_asked_over_another_connection(status: int, connections: int) -> None:
    """A balancer that hands out connections, not requests, may then lead it to a node that can."""
    ports = set()

    def keep_alive(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.close_connection = False
        ports.add(handler.client_address[1])
        document(b"", status)(handler)

    async def twice(url: str) -> None:
        async with FeedConnection() as connection:
            for _ in range(2):
                assert (await connection.get(url, DEADLINE)).status == status

    with serving(keep_alive) as server:
        asyncio.run(twice(server.url))
    assert len(ports) == connections


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_f08_m01_redirects_are_not_followed(status: int) -> None:
    """A redirect is an answer, and the token goes nowhere else, not even on the same host."""
    with serving(document(b"", status, Location="/other")) as server:
        assert asyncio.run(_get(server.url, "a.b.c")).status == status
        assert server.paths == ["/jwks.json"]


def test_largest_answer_is_4_mib() -> None:
    """4 MiB come back whole, a byte more is refused."""
    with serving(document(b"a" * LARGEST_ANSWER)) as server:
        assert len(asyncio.run(_get(server.url)).body) == LARGEST_ANSWER
        server.answer = document(b"a" * (LARGEST_ANSWER + 1))
        with pytest.raises(NoAnswer, match="more than"):
            asyncio.run(_get(server.url))


def test_compressed_answer_is_none() -> None:
    """We ask for none, so nothing is ever decompressed."""
    with (
        serving(document(gzip.compress(b"a" * 10_000_000), Content_Encoding="gzip")) as server,
        pytest.raises(NoAnswer, match="an encoded answer"),
    ):
        asyncio.run(_get(server.url))


def test_f06_certificates_that_cannot_be_read_are_no_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As with a server that is away: it is told with each attempt, until they are there."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))

    async def twice(url: str) -> None:
        async with FeedConnection() as connection:
            with pytest.raises(NoAnswer, match="FileNotFoundError"):
                await connection.get(url, DEADLINE)
            new_authority(tmp_path)
            assert (await connection.get(url, DEADLINE)).body == b"{}"

    with serving(document(b"{}")) as server:
        asyncio.run(twice(server.url))


@pytest.mark.parametrize("over", ["http", "https"])
@pytest.mark.parametrize("drips", [False, True], ids=["silent", "dripping"])
def test_z75_slow_answer_is_none(
    drips: bool,  # noqa: FBT001 - a parameter
    over: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Silence and a dripping body end when the deadline is over, and the connection works again afterwards.

    TLS makes no difference: whoever is given up is not asked to agree to the end of the connection.
    """
    authority = new_authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    context = authority.server_context(tmp_path, "127.0.0.1") if over == "https" else None
    stop = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        if drips:
            handler.send_response(200)
            handler.end_headers()
        while not stop.wait(0.05):
            if drips:
                handler.wfile.write(b" ")
        handler.close_connection = True

    async def twice(url: str) -> float:
        async with FeedConnection() as connection:
            began = time.monotonic()
            with pytest.raises(NoAnswer, match="no whole answer within"):
                await asyncio.wait_for(connection.get(url, DEADLINE), 5)
            elapsed = time.monotonic() - began
            server.answer = document(b"{}")
            assert (await connection.get(url, 5)).body == b"{}"
            return elapsed

    with serving(slow, context) as server:
        try:
            assert DEADLINE <= asyncio.run(twice(server.url)) < DEADLINE + 0.4
        finally:
            stop.set()
