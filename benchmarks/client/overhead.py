"""What a fresh token costs per request, in each HTTP library, beside the same request without authentication.

The network is taken out, because it would hide microseconds: the library's transport answers from memory. Everything
else of a request is the library's real code. Both kinds of request alternate in short rounds; what counts is the median
of the quickest tenth of each, which others on the machine disturbed least.
"""

import argparse
import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import httpx2
import requests
from requests.adapters import BaseAdapter
from yarl import URL

import sensos_auth.client.aiohttp
import sensos_auth.client.httpx
import sensos_auth.client.httpx2
import sensos_auth.client.requests
from sensos_auth.client import Credentials, TokenSource
from sensos_auth.client.headers import authorization
from sensos_auth.client.surroundings import Surroundings
from sensos_auth.client.token_answer import Answer

GOAL = 2.0  # microseconds
BASE_URL = "https://api.example.com"
PATH = f"{BASE_URL}/v1/endpoint"
_BY_HAND = ", a fixed header"  # what the library itself takes for one header more: for comparison
_TOKEN = "e" * 600
_ANSWER = Answer(200, f'{{"accessToken":"{_TOKEN}","expiresIn":36000}}'.encode())

Measure = Callable[[int], float]  # how often -> seconds for all


def new_source() -> TokenSource:
    """Return a source that holds a fresh token."""
    surroundings = Surroundings(random=lambda: 0.0, start=lambda work: work(), send=lambda *_: _ANSWER)
    source = TokenSource(Credentials("ten_a", "app_a", "sensos_sk_x"), BASE_URL, surroundings=surroundings)
    source.token()
    return source


def repeated(work: Callable[[], object]) -> Measure:
    """Return what measures calls of the function."""

    def measure(count: int) -> float:
        began = time.thread_time()
        for _ in range(count):
            work()
        return time.thread_time() - began

    return measure


def repeated_async(runner: asyncio.Runner, work: Callable[[], Awaitable[object]]) -> Measure:
    """Return what measures calls of the coroutine function, within one event loop."""

    async def loop(count: int) -> float:
        began = time.thread_time()
        for _ in range(count):
            await work()
        return time.thread_time() - began

    return lambda count: runner.run(loop(count))


class _AnswersFromMemory(BaseAdapter):
    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:  # noqa: ANN401 - as there
        response = requests.Response()
        response.status_code = 200
        response.request = request
        response.url = request.url or ""
        response._content = b"{}"  # noqa: SLF001 - what an adapter fills in
        response.raw = _NoBody()
        return response

    def close(self) -> None:
        pass


class _NoBody:
    _original_response = None

    def release_conn(self) -> None:
        pass


class _Loopless:
    """An aiohttp request as a middleware sees it: aiohttp's own way there needs a connection."""

    def __init__(self) -> None:
        self.url = URL(PATH)
        self.headers: dict[str, str] = {}
        self.body = b""
        self.status = 200


def contestants(source: TokenSource, runner: asyncio.Runner) -> dict[str, tuple[Measure, Measure]]:
    """Return for each library the request without and the one with a token."""

    def in_httpx(library: Any, auth: Any) -> Callable[[], object]:  # noqa: ANN401 - a module of the two
        transport = library.MockTransport(lambda _: library.Response(200, content=b"{}"))
        client = library.Client(transport=transport, auth=auth, trust_env=False)
        return lambda: client.get(PATH)

    def in_async_httpx(library: Any, auth: Any) -> Callable[[], Awaitable[object]]:  # noqa: ANN401 - as above
        transport = library.MockTransport(lambda _: library.Response(200, content=b"{}"))
        client = library.AsyncClient(transport=transport, auth=auth, trust_env=False)
        return lambda: client.get(PATH)

    def in_requests(auth: Any) -> Callable[[], object]:  # noqa: ANN401 - auth or None
        session = requests.Session()
        session.trust_env = False
        session.auth = auth
        session.mount("https://", _AnswersFromMemory())
        return lambda: session.get(PATH, timeout=10)

    middleware: Any = sensos_auth.client.aiohttp.TokenMiddleware(source)

    async def aiohttp_handler(request: Any) -> Any:  # noqa: ANN401 - the answer is the request here
        return request

    async def through_nothing(request: Any, handler: Any) -> Any:  # noqa: ANN401 - a middleware
        return await handler(request)

    modules = {"httpx2": (httpx2, sensos_auth.client.httpx2), "httpx": (httpx, sensos_auth.client.httpx)}
    pairs: dict[str, tuple[Measure, Measure]] = {
        "source.token()": (repeated(lambda: None), repeated(source.token)),
        "urllib3: the header": (repeated(dict), repeated(lambda: authorization(source, PATH))),
    }
    for name, (library, adapter) in modules.items():
        auth = adapter.TokenAuth(source)
        pairs[name] = (repeated(in_httpx(library, None)), repeated(in_httpx(library, auth)))
        by_hand = in_httpx(library, _with_header(library, source))
        pairs[f"{name}{_BY_HAND}"] = (repeated(in_httpx(library, None)), repeated(by_hand))
        pairs[f"{name}, asynchronous"] = (
            repeated_async(runner, in_async_httpx(library, None)),
            repeated_async(runner, in_async_httpx(library, auth)),
        )
    token_auth = sensos_auth.client.requests.TokenAuth(source)
    pairs["requests"] = (repeated(in_requests(None)), repeated(in_requests(token_auth)))
    pairs["aiohttp: the middleware"] = (
        repeated_async(runner, lambda: through_nothing(_Loopless(), aiohttp_handler)),
        repeated_async(runner, lambda: middleware(_Loopless(), aiohttp_handler)),
    )
    return pairs


def _with_header(library: Any, source: TokenSource) -> Any:  # noqa: ANN401 - a module of the two, and its Auth
    authorization = source.shared.held.authorization

    class Header(library.Auth):  # type: ignore[misc] # of a module that is a parameter
        def sync_auth_flow(self, request: Any) -> Iterator[Any]:  # noqa: ANN401 - either library's
            request.headers["Authorization"] = authorization
            yield request

    return Header()


def difference(without: Measure, with_token: Measure, rounds: int, count: int) -> tuple[float, float]:
    """Return the microseconds of a request without, and how many more it takes with a token: undisturbed rounds."""
    bare, more = [], []
    for _ in range(rounds):
        bare.append(without(count))
        more.append(with_token(count))
    undisturbed = [statistics.median(sorted(times)[: max(rounds // 10, 1)]) / count * 1e6 for times in (bare, more)]
    return undisturbed[0], undisturbed[1] - undisturbed[0]


def main() -> int:
    """Print the table; status 1 when a library takes more than the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--count", type=int, default=100)
    options = parser.parse_args()
    source = new_source()
    missed = False
    gc.freeze()
    with asyncio.Runner() as runner:
        print(f"{'':28} {'without, µs':>12} {'more with, µs':>14}")
        for name, (without, with_token) in contestants(source, runner).items():
            bare, more = difference(without, with_token, options.rounds, options.count)
            missed = missed or (more > GOAL and not name.endswith(_BY_HAND))
            print(f"{name:28} {bare:12.2f} {more:14.2f}")
    print(f"goal: at most {GOAL:g} µs: {'missed' if missed else 'met'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
