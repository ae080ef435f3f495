"""After a 401 a request is repeated only if its body can be sent again; the next request has the new token anyway."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator

import aiohttp
import httpx
import httpx2
import pytest
import requests

import sensos_auth.client.aiohttp
import sensos_auth.client.httpx
import sensos_auth.client.httpx2
import sensos_auth.client.requests
from sensos_auth.client import TokenSource
from sensos_auth.testing import ApiAnswer, TokenServer


@pytest.fixture
def source(server: TokenServer) -> TokenSource:
    """Return a source whose token the API refuses."""
    server.answer("POST", "/v1/devices", lambda request: ApiAnswer(201, {"got": request.body.decode()}))
    held = TokenSource.from_env(server.environment)
    held.token()
    server.revoke_tokens()
    return held


def chunks() -> Iterator[bytes]:
    """Return a body that exists once."""
    yield b"one "
    yield b"device"


async def async_chunks() -> AsyncIterator[bytes]:
    """Return a body that exists once."""
    yield b"one "
    yield b"device"


@pytest.mark.parametrize("library", [httpx2, httpx], ids=["httpx2", "httpx"])
def test_httpx_streams(server: TokenServer, source: TokenSource, library: object) -> None:
    """A generator is not sent twice: the 401 is the caller's, and the next request succeeds."""
    url = f"{server.base_url}/v1/devices"
    with httpx2.Client(auth=sensos_auth.client.httpx2.TokenAuth(source), trust_env=False) as client:
        if library is httpx:
            auth = sensos_auth.client.httpx.TokenAuth(source)
            with httpx.Client(auth=auth, trust_env=False) as other:
                statuses = [other.post(url, content=chunks()).status_code for _ in range(2)]
        else:
            statuses = [client.post(url, content=chunks()).status_code for _ in range(2)]
    assert statuses == [401, 201]
    assert server.token_requests == 2


def test_a_file_is_sent_again_from_where_it_was_with_requests(server: TokenServer, source: TokenSource) -> None:
    """From its position, not from its beginning."""
    file = io.BytesIO(b"read before: one device")
    file.read(len(b"read before: "))
    with requests.Session() as session:
        session.auth = sensos_auth.client.requests.TokenAuth(source)
        answer = session.post(f"{server.base_url}/v1/devices", data=file, timeout=5)
    assert (answer.status_code, answer.json()) == (201, {"got": "one device"})
    assert [each.status_code for each in answer.history] == [401]


def test_a_generator_is_not_sent_twice_with_requests(server: TokenServer, source: TokenSource) -> None:
    """The 401 is the caller's, and the next request succeeds."""
    with requests.Session() as session:
        session.auth = sensos_auth.client.requests.TokenAuth(source)
        url = f"{server.base_url}/v1/devices"
        statuses = [session.post(url, data=chunks(), timeout=5).status_code for _ in range(2)]
    assert statuses == [401, 201]


@pytest.mark.parametrize("kind", ["file", "generator"])
def test_aiohttp_bodies(server: TokenServer, source: TokenSource, kind: str) -> None:
    """A file is sent again, a generator is not."""

    async def post_twice() -> list[int]:
        middleware = sensos_auth.client.aiohttp.TokenMiddleware(source)
        statuses = []
        async with aiohttp.ClientSession(middlewares=[middleware]) as session:
            for _ in range(2):
                body = io.BytesIO(b"one device") if kind == "file" else async_chunks()
                async with session.post(f"{server.base_url}/v1/devices", data=body) as answer:
                    statuses.append(answer.status)
        return statuses

    assert asyncio.run(post_twice()) == ([201, 201] if kind == "file" else [401, 201])
