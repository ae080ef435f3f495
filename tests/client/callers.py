"""One way to call the API with each HTTP library, as an application would: all adapters stand the same tests."""

import asyncio
import json
import urllib.error
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol
from urllib.request import ProxyHandler, Request, build_opener

import aiohttp
import httpx
import httpx2
import requests
import urllib3

import sensos_auth.client.aiohttp
import sensos_auth.client.httpx
import sensos_auth.client.httpx2
import sensos_auth.client.requests
import sensos_auth.client.urllib
from sensos_auth.client import TokenSource
from sensos_auth.client.headers import authorization


@dataclass(frozen=True)
class Got:
    """Status and JSON document of an answer."""

    status: int
    document: object


class Call(Protocol):
    """Sends one request and follows redirects."""

    def __call__(self, method: str, url: str, body: bytes | None = None) -> Got:
        """Return what came back."""


Caller = AbstractContextManager[Call]


@contextmanager
def over_httpx2(source: TokenSource) -> Iterator[Call]:
    """Call with a client of httpx2."""
    auth = sensos_auth.client.httpx2.TokenAuth(source)
    with httpx2.Client(auth=auth, trust_env=False, follow_redirects=True) as client:

        def call(method: str, url: str, body: bytes | None = None) -> Got:
            answer = client.request(method, url, content=body)
            return Got(answer.status_code, answer.json())

        yield call


@contextmanager
def over_httpx(source: TokenSource) -> Iterator[Call]:
    """Call with a client of httpx."""
    auth = sensos_auth.client.httpx.TokenAuth(source)
    with httpx.Client(auth=auth, trust_env=False, follow_redirects=True) as client:

        def call(method: str, url: str, body: bytes | None = None) -> Got:
            answer = client.request(method, url, content=body)
            return Got(answer.status_code, answer.json())

        yield call


@contextmanager
def over_async_httpx2(source: TokenSource) -> Iterator[Call]:
    """Call with an asynchronous client of httpx2."""
    auth = sensos_auth.client.httpx2.TokenAuth(source)
    with asyncio.Runner() as runner:
        client = httpx2.AsyncClient(auth=auth, trust_env=False, follow_redirects=True)

        def call(method: str, url: str, body: bytes | None = None) -> Got:
            answer = runner.run(client.request(method, url, content=body))
            return Got(answer.status_code, answer.json())

        yield call
        runner.run(client.aclose())


@contextmanager
def over_async_httpx(source: TokenSource) -> Iterator[Call]:
    """Call with an asynchronous client of httpx."""
    auth = sensos_auth.client.httpx.TokenAuth(source)
    with asyncio.Runner() as runner:
        client = httpx.AsyncClient(auth=auth, trust_env=False, follow_redirects=True)

        def call(method: str, url: str, body: bytes | None = None) -> Got:
            answer = runner.run(client.request(method, url, content=body))
            return Got(answer.status_code, answer.json())

        yield call
        runner.run(client.aclose())


@contextmanager
def over_requests(source: TokenSource) -> Iterator[Call]:
    """Call with a session of requests."""
    with requests.Session() as session:
        session.auth = sensos_auth.client.requests.TokenAuth(source)
        session.trust_env = False

        def call(method: str, url: str, body: bytes | None = None) -> Got:
            answer = session.request(method, url, data=body, timeout=10)
            return Got(answer.status_code, answer.json())

        yield call


@contextmanager
def over_aiohttp(source: TokenSource) -> Iterator[Call]:
    """Call with a session of aiohttp."""
    middleware = sensos_auth.client.aiohttp.TokenMiddleware(source)
    with asyncio.Runner() as runner:

        async def new_session() -> aiohttp.ClientSession:
            return aiohttp.ClientSession(middlewares=[middleware])

        session = runner.run(new_session())

        async def request(method: str, url: str, body: bytes | None) -> Got:
            async with session.request(method, url, data=body) as answer:
                return Got(answer.status, await answer.json())

        yield lambda method, url, body=None: runner.run(request(method, url, body))
        runner.run(session.close())


@contextmanager
def over_urllib(source: TokenSource) -> Iterator[Call]:
    """Call with the standard library."""
    opener = build_opener(ProxyHandler({}), sensos_auth.client.urllib.TokenHandler(source))

    def call(method: str, url: str, body: bytes | None = None) -> Got:
        request = Request(url, data=body, method=method)  # noqa: S310 - the test's own URLs
        try:
            with opener.open(request, timeout=10) as answer:
                return Got(answer.status, json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                return Got(error.code, json.load(error))

    yield call


@contextmanager
def over_urllib3(source: TokenSource) -> Iterator[Call]:
    """Call with urllib3: the header for each request, and by hand what the others do by themselves."""
    with urllib3.PoolManager() as pool:

        def call(method: str, url: str, body: bytes | None = None) -> Got:
            answer = pool.request(method, url, body=body, headers=authorization(source, url))
            if answer.status == 401:
                source.renewed(source.token())
                answer = pool.request(method, url, body=body, headers=authorization(source, url))
            return Got(answer.status, answer.json())

        yield call


CALLERS = {
    "httpx2": over_httpx2,
    "httpx2 asynchronous": over_async_httpx2,
    "httpx": over_httpx,
    "httpx asynchronous": over_async_httpx,
    "requests": over_requests,
    "aiohttp": over_aiohttp,
    "urllib": over_urllib,
}
WITH_HEADERS = CALLERS | {"urllib3": over_urllib3}
