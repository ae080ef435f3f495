"""The ready-made client, synchronous and asynchronous: the same tests for both."""

import asyncio
import os
import pickle
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from sensos_auth.client import ApiError, ApiUnavailable, AsyncClient, Client, CredentialsRefused, TokenSource
from sensos_auth.client.api_attempts import attempts
from sensos_auth.client.surroundings import Surroundings
from sensos_auth.model.errors import InvalidInput
from sensos_auth.testing import ApiAnswer, ApiRequest, TokenServer
from tests.running_service import free_port

Call = Callable[..., Any]
QUICK = Surroundings(random=lambda: 0.0)


def call(server: TokenServer, method: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - any JSON
    """Call a method of a fresh synchronous client."""
    with Client(TokenSource.from_env(server.environment), surroundings=QUICK) as client:
        result = getattr(client, method)(*arguments, **options)
        return list(result) if method == "pages" else result


def call_async(server: TokenServer, method: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - any JSON
    """Call a method of a fresh asynchronous client."""

    async def in_loop() -> Any:  # noqa: ANN401 - any JSON
        async with AsyncClient(TokenSource.from_env(server.environment), surroundings=QUICK) as client:
            result = getattr(client, method)(*arguments, **options)
            return [thing async for thing in result] if method == "pages" else await result

    return asyncio.run(in_loop())


both = pytest.mark.parametrize("calling", [call, call_async], ids=["Client", "AsyncClient"])


def answers(server: TokenServer, method: str, path: str, *wanted: ApiAnswer) -> list[ApiRequest]:
    """Let the API give these answers in turn, and return the requests that it will have got."""
    left = deque(wanted)
    seen: list[ApiRequest] = []

    def answer(request: ApiRequest) -> ApiAnswer:
        seen.append(request)
        return left.popleft()

    server.answer(method, path, answer)
    return seen


@both
def test_documents_come_and_go(server: TokenServer, calling: Call) -> None:
    """Queries and bodies are what was given; the answer is its document."""
    read = answers(server, "GET", "/v1/devices/1", ApiAnswer(200, {"name": "a"}))
    assert calling(server, "get", "/v1/devices/1", fields="name", limit=3) == {"name": "a"}
    assert read[0].query == {"fields": "name", "limit": "3"}
    for method, status in (("post", 201), ("put", 200), ("patch", 200)):
        sent = answers(server, method.upper(), "/v1/devices", ApiAnswer(status, {"id": 1}))
        assert calling(server, method, "/v1/devices", {"name": "ä"}) == {"id": 1}
        assert (sent[0].body, sent[0].headers["content-type"]) == ('{"name":"ä"}'.encode(), "application/json")
    answers(server, "DELETE", "/v1/devices/1", ApiAnswer(204))
    assert calling(server, "delete", "/v1/devices/1") is None


@both
def test_all_pages_of_a_collection(server: TokenServer, calling: Call) -> None:
    """By the Sensos convention: the cursor of one page leads to the next, the other parameters stay."""
    seen = answers(
        server,
        "GET",
        "/v1/devices",
        ApiAnswer(200, {"metadata": {"nextCursor": "c1"}, "devices": [1, 2]}),
        ApiAnswer(200, {"metadata": {"nextCursor": "c2", "total": 3}, "devices": []}),
        ApiAnswer(200, {"metadata": {"nextCursor": None}, "devices": [3]}),
    )
    assert calling(server, "pages", "/v1/devices", "devices", limit=2) == [1, 2, 3]
    assert [request.query for request in seen] == [
        {"limit": "2"},
        {"limit": "2", "cursor": "c1"},
        {"limit": "2", "cursor": "c2"},
    ]


@both
@pytest.mark.parametrize(
    "document",
    [None, [], {"devices": []}, {"metadata": {"nextCursor": 1}, "devices": []}, {"metadata": {"nextCursor": None}}],
)
def test_what_is_not_a_page(server: TokenServer, calling: Call, document: object) -> None:
    """It is said, not taken for the end of the collection."""
    answers(server, "GET", "/v1/devices", ApiAnswer(200, document))
    with pytest.raises(ApiUnavailable, match="not a page of devices"):
        calling(server, "pages", "/v1/devices", "devices")


@both
@pytest.mark.parametrize("cursors", [["c1", "c1"], ["c1", "c2", "c1"]], ids=["at once", "by way of another"])
def test_a_page_that_leads_to_itself(server: TokenServer, calling: Call, cursors: list[str]) -> None:
    """It ends, instead of going round for ever."""
    pages = [ApiAnswer(200, {"metadata": {"nextCursor": cursor}, "devices": [1]}) for cursor in cursors]
    answers(server, "GET", "/v1/devices", *pages)
    with pytest.raises(ApiUnavailable, match="same page again"):
        calling(server, "pages", "/v1/devices", "devices")


@both
def test_errors_are_the_apis_own_words(server: TokenServer, calling: Call) -> None:
    """As attributes, and as a sentence with the request's ID."""
    error = {"error": "Not Found", "message": "There is no such device"}
    answers(server, "GET", "/v1/devices/2", ApiAnswer(404, error, {"X-Request-Id": "r1"}))
    with pytest.raises(ApiError, match=r"^404 Not Found: There is no such device \(request r1\)$") as caught:
        calling(server, "get", "/v1/devices/2")
    assert (caught.value.status, caught.value.error, caught.value.message) == (404, error["error"], error["message"])
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own


@both
def test_errors_that_are_not_the_apis(server: TokenServer, calling: Call) -> None:
    """A proxy's, an odd status, and one that repeats a secret: nothing breaks, nothing is shown."""
    for document, text in [
        ("<html>", "^418 I'm a Teapot$"),
        ({"error": 1, "message": ["x"]}, "^418 I'm a Teapot$"),
        ({"error": "No", "message": f"not {server.secret}\n!"}, r"^418 No: not \[not shown\] !$"),
    ]:
        answers(server, "GET", "/v1/odd", ApiAnswer(418, document))
        with pytest.raises(ApiError, match=text):
            calling(server, "get", "/v1/odd")


@both
def test_passing_failures_are_repeated(server: TokenServer, calling: Call) -> None:
    """GET, PUT and DELETE; POST and PATCH never, because they may have been carried out."""
    busy = ApiAnswer(503, {}, {"Retry-After": "0"})
    for method in ("get", "put", "delete"):
        seen = answers(server, method.upper(), "/v1/busy", busy, ApiAnswer(429, {}), ApiAnswer(200, {"ok": 1}))
        assert calling(server, method, "/v1/busy") == {"ok": 1}
        assert len(seen) == 3
    for method in ("post", "patch"):
        seen = answers(server, method.upper(), "/v1/busy", busy)
        with pytest.raises(ApiError, match="503"):
            calling(server, method, "/v1/busy")
        assert len(seen) == 1


@both
def test_an_api_that_does_not_answer(server: TokenServer, calling: Call) -> None:
    """The caller is told in a word what happened."""

    def hang_up(_: ApiRequest) -> ApiAnswer:
        raise ConnectionResetError

    server.answer("POST", "/v1/devices", hang_up)
    with pytest.raises(ApiUnavailable, match="no whole answer: RemoteProtocolError"):
        calling(server, "post", "/v1/devices")
    server.answer("POST", "/v1/devices", lambda _: ApiAnswer(200, {}, {"Content-Encoding": "gzip"}))
    with pytest.raises(ApiUnavailable, match="no whole answer: DecodingError"):
        calling(server, "post", "/v1/devices")
    server.answer("GET", "/v1/text", lambda _: ApiAnswer(200, None))
    assert calling(server, "get", "/v1/text") is None


@both
def test_token_errors_come_through(server: TokenServer, calling: Call) -> None:
    """As they are, without a request to the API."""
    server.rotate_secret()
    broken = TokenServer(server.base_url, 100)
    with pytest.raises(CredentialsRefused):
        calling(broken, "get", "/v1/endpoint")


@both
@pytest.mark.parametrize(
    "path",
    [
        "v1/endpoint",
        "https://attacker.test/",
        "/v1/x?y=1",
        "/v1/\r\nx",
        "",
        "/v1/devices/../endpoint",
        "/v1/devices/..",
        "/v1/%2e%2E/endpoint",
        "/v1/.%2e/endpoint",
        "/./v1",
    ],
)
def test_paths_that_are_none(server: TokenServer, calling: Call, path: str) -> None:
    """Refused before anything is sent: what a user typed in the place of an ID must not lead to another endpoint."""
    with pytest.raises(InvalidInput):
        calling(server, "get", path)
    assert server.token_requests == 0


@both
def test_redirects_are_errors(server: TokenServer, calling: Call) -> None:
    """The API has none; what has is something else."""
    shown = {"Location": "/v1/endpoint", "X-Request-Id": f"r1-{server.secret}"}
    answers(server, "GET", "/v1/moved", ApiAnswer(302, {}, shown))
    with pytest.raises(ApiError, match=r"302 Found: a redirect, which is not followed \(request r1-\[not shown\]\)"):
        calling(server, "get", "/v1/moved")


def test_connection_errors_are_repeated(server: TokenServer) -> None:
    """Until the attempts are used up."""
    slept: list[float] = []
    source = TokenSource.from_env(server.environment)
    source.token()
    source.base_url = f"http://127.0.0.1:{free_port()}"
    surroundings = Surroundings(random=lambda: 1.0, sleep=slept.append)
    with Client(source, surroundings=surroundings) as client, pytest.raises(ApiUnavailable, match="ConnectError"):
        client.get("/v1/endpoint")
    assert slept == [1.0, 2.0, 4.0, 8.0]


def test_forked_processes_get_answers_of_their_own(server: TokenServer) -> None:
    """A connection that processes share gives one of them what another asked for."""

    def answer(request: ApiRequest) -> ApiAnswer:
        time.sleep(0.002)
        return ApiAnswer(200, request.query)

    def ask(who: int) -> bool:
        return all(client.get("/v1/who", who=who, turn=turn) == {"who": f"{who}", "turn": f"{turn}"} for turn in turns)

    server.answer("GET", "/v1/who", answer)
    turns = range(40)
    with Client.from_env(server.environment) as client:
        assert ask(0)
        children = []
        for who in range(1, 5):
            child = os.fork()
            if child == 0:
                with suppress(BaseException):
                    os._exit(0 if ask(who) else 1)
                os._exit(2)
            children.append(child)
        assert ask(0)
        assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0, 0]


def test_no_pause_goes_beyond_the_patience() -> None:
    """What can't come in time is not waited for."""
    import httpx2  # noqa: PLC0415 - for this test only

    surroundings = Surroundings(
        clock=lambda: 0.0, random=lambda: 0.5, wall_now=lambda: datetime(2026, 1, 1, tzinfo=UTC)
    )
    steps = attempts("GET", 10.0, surroundings)
    assert next(steps) is None
    assert steps.send(httpx2.Response(503, headers={"Retry-After": "5"})) == 5.5
    assert next(steps) is None
    late = httpx2.Response(503, headers={"Retry-After": "60"})
    with pytest.raises(StopIteration) as end:
        steps.send(late)
    assert end.value.value is late


def test_from_env_takes_the_options_of_both(server: TokenServer) -> None:
    """Of the client and of its token source: patience is that of the whole call."""
    slept: list[float] = []
    surroundings = Surroundings(random=lambda: 1.0, sleep=slept.append)
    server.answer("GET", "/v1/busy", lambda _: ApiAnswer(503, {}))
    options: dict[str, Any] = {"patience": 2.0, "timeout": 5.0, "surroundings": surroundings}
    with Client.from_env(server.environment, **options) as client, pytest.raises(ApiError, match="503"):
        client.get("/v1/busy")
    assert slept == [1.0]


def test_representations(server: TokenServer) -> None:
    """Nothing secret in them."""
    with Client.from_env(server.environment) as client:
        with suppress(ApiError):
            client.get("/v1/endpoint")
        assert repr(client) == f"Client({server.base_url!r})"
