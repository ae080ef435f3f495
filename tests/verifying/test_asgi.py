import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from sensos_auth.model.errors import InvalidInput
from sensos_auth.verifying import AuthenticationMiddleware, KeysUnavailable, Verifier
from sensos_auth.verifying.asgi import Message, Scope
from tests.verifying.issued import APPLICATION, AUDIENCE, GOOD_TOKEN, ISSUER, KEY, TENANT, VERIFIER

GOOD = {"authorization": f"Bearer {GOOD_TOKEN}"}
UNAUTHORIZED = b'{"error":"Unauthorized","message":"Invalid or expired access token"}'
started: list[str] = []


async def _who(request: Request) -> Response:
    return JSONResponse([request.state.caller.tenant_id, request.state.caller.application_id])


async def _chat(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


class _Lifespan:
    def __init__(self, app: Starlette) -> None:
        assert isinstance(app, Starlette)

    async def __aenter__(self) -> dict[str, str]:
        started.append("yes")
        return {"shared": "state"}

    async def __aexit__(self, *_: object) -> None: ...


METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE"]
INNER = Starlette(
    routes=[
        Route("/v1/endpoint", _who, methods=METHODS),
        Mount("/mounted", Starlette(routes=[Route("/x", _who)])),
        WebSocketRoute("/chat", _chat),
    ],
    lifespan=_Lifespan,
)


def _client(verifier: Verifier = VERIFIER, scope: str = "") -> TestClient:
    return TestClient(AuthenticationMiddleware(INNER, verifier, scope))


@pytest.fixture
def client() -> Iterator[TestClient]:
    """Return a client of the protected application."""
    with _client() as client:
        yield client


def test_caller_is_in_the_state(client: TestClient) -> None:
    """An endpoint finds the caller in request.state, beside what the lifespan put there."""
    answer = client.get("/v1/endpoint", headers=GOOD)
    assert (answer.status_code, answer.json()) == (200, [TENANT, APPLICATION])


def test_lifespan_passes() -> None:
    """The application starts and stops as without the middleware."""
    started.clear()
    with _client():
        assert started == ["yes"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "path", ["/v1/endpoint", "/mounted/x", "/nothing", "//v1/endpoint", "/chat", "/v1/../v1/endpoint"]
)
def test_g14_g15_every_method_and_path_needs_a_token(client: TestClient, method: str, path: str) -> None:
    """Without a token each route, mounted, missing or odd, is the same 401; for HEAD, servers leave its body away."""
    answer = client.request(method, path)
    assert answer.status_code == 401
    assert answer.content == (b"" if method == "HEAD" else UNAUTHORIZED)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-length"] == str(len(UNAUTHORIZED))


@pytest.mark.parametrize(
    "request_parts",
    [
        pytest.param({"params": {"access_token": GOOD_TOKEN}}, id="g07-query"),
        pytest.param({"data": {"access_token": GOOD_TOKEN}}, id="g07-form"),
        pytest.param(
            {"cookies": {"access_token": GOOD_TOKEN, "authorization": f"Bearer {GOOD_TOKEN}"}}, id="g07-cookie"
        ),
        pytest.param({"headers": {"proxy-authorization": GOOD["authorization"]}}, id="g11-proxy"),
        pytest.param({"headers": {"x-authorization": GOOD["authorization"]}}, id="g11-x"),
        pytest.param({"headers": {"x-forwarded-authorization": GOOD["authorization"]}}, id="g11-x-forwarded"),
        pytest.param({"headers": {"authorization_": GOOD["authorization"]}}, id="underscore"),
    ],
)
@pytest.mark.filterwarnings("ignore:Setting per-request cookies")
def test_g07_g11_token_counts_in_its_header_only(client: TestClient, request_parts: dict[str, Any]) -> None:
    """A token anywhere else is no token."""
    answer = client.post("/v1/endpoint", **request_parts)
    assert (answer.status_code, answer.content) == (401, UNAUTHORIZED)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_bad_token_is_refused_by_the_contract(client: TestClient) -> None:
    """401, the exact body, and the challenge that says invalid_token."""
    answer = client.get("/v1/endpoint", headers={"authorization": f"Bearer {KEY.token(exp=1)}"})
    assert (answer.status_code, answer.content) == (401, UNAUTHORIZED)
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_g05_two_headers_are_refused(client: TestClient) -> None:
    """Two Authorization headers are refused, even with the same good token."""
    pair = ("Authorization", GOOD["authorization"])
    answer = client.get("/v1/endpoint", headers=[pair, pair])
    assert (answer.status_code, answer.content) == (401, UNAUTHORIZED)


def test_scope_is_demanded() -> None:
    """All scopes of the middleware are needed for every request."""
    with _client(scope="devices:read") as client:
        assert client.get("/v1/endpoint", headers=GOOD).status_code == 200
    with _client(scope="devices:read admin") as client:
        answer = client.get("/v1/endpoint", headers=GOOD)
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="devices:read admin"'
    with pytest.raises(InvalidInput):
        AuthenticationMiddleware(INNER, VERIFIER, 'a"b')


@pytest.mark.parametrize("headers", [{}, GOOD], ids=["no-token", "good-token"])
def test_g15_websockets_are_closed(client: TestClient, headers: dict[str, str]) -> None:
    """No WebSocket gets through, whatever it shows."""
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/chat", headers=headers):
        pass
    assert closed.value.code == 1008


@pytest.mark.parametrize("error", [KeysUnavailable("none"), RuntimeError("a defect")], ids=repr)
def test_g16_no_keys_and_defects_are_503(error: Exception) -> None:
    """When nothing can be said about a token, nobody gets in and everybody is told to come back."""

    class Broken:
        def find(self, kid: str) -> None:
            assert kid
            raise error

    with _client(Verifier(issuer=ISSUER, audience=AUDIENCE, keys=Broken())) as client:
        answer = client.get("/v1/endpoint", headers=GOOD)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert client.get("/v1/endpoint").status_code == 401


def test_unknown_kinds_of_connections_do_not_get_through() -> None:
    """A kind of connection that ASGI may get one day is an error, not a pass."""

    async def connect() -> None:
        reached = []

        async def app(*_: object) -> None:
            reached.append(1)

        with pytest.raises(NotImplementedError):
            await AuthenticationMiddleware(app, VERIFIER)({"type": "webtransport"}, _nothing, _nothing)  # type: ignore[arg-type]
        assert reached == []

    async def _nothing(*_: object) -> None: ...

    asyncio.run(connect())


def test_callers_of_requests_do_not_mix() -> None:
    """The server's shared state never holds a caller: each request gets a state of its own."""

    async def run() -> None:
        seen: list[Any] = []

        async def app(scope: Scope, *_: object) -> None:
            seen.append(scope["state"])

        async def receive() -> Message:
            return {}

        async def send(_: Message) -> None: ...

        shared = {"pool": object()}
        scope = {"type": "http", "method": "GET", "headers": [(b"Authorization", GOOD["authorization"].encode())]}
        await AuthenticationMiddleware(app, VERIFIER)({**scope, "state": shared}, receive, send)
        assert shared.keys() == {"pool"}
        assert seen[0].keys() == {"pool", "caller"}

    asyncio.run(run())


def test_starlette_takes_it_as_middleware() -> None:
    """It is added as any Starlette middleware."""
    app = Starlette(
        routes=[Route("/x", _who)],
        middleware=[Middleware(AuthenticationMiddleware, verifier=VERIFIER, scope="devices:read")],
    )
    with TestClient(app) as client:
        assert client.get("/x", headers=GOOD).status_code == 200
        assert client.get("/x").status_code == 401


def test_preflight_requests_are_for_a_middleware_around_this_one() -> None:
    """A browser's preflight shows no token: CORS middleware outside answers it, and the request itself needs one."""
    app = CORSMiddleware(AuthenticationMiddleware(INNER, VERIFIER), allow_origins=["https://fleet.example.com"])
    asking = {"origin": "https://fleet.example.com", "access-control-request-method": "GET"}
    client = TestClient(app)
    assert client.options("/v1/endpoint", headers=asking).status_code == 200
    answer = client.get("/v1/endpoint", headers={"origin": asking["origin"]})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, asking["origin"])
