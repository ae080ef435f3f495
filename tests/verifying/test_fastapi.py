from collections.abc import Iterator
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from sensos_auth.model.errors import InvalidInput
from sensos_auth.verifying import AuthenticationMiddleware, Caller, KeysUnavailable, Verifier
from sensos_auth.verifying.fastapi import Authentication
from tests.verifying.issued import APPLICATION, AUDIENCE, GOOD_TOKEN, ISSUER, KEY, TENANT, VERIFIER

GOOD = {"authorization": f"Bearer {GOOD_TOKEN}"}
UNAUTHORIZED = b'{"error":"Unauthorized","message":"Invalid or expired access token"}'


def _app(verifier: Verifier = VERIFIER) -> FastAPI:
    app = FastAPI()
    authentication = Authentication(app, verifier)
    router = APIRouter(prefix="/router", dependencies=[authentication.require("devices:write")])

    @app.get("/open")
    def open_to_all() -> str:
        return "open"

    @app.get("/any")
    @app.api_route("/any", methods=["HEAD", "OPTIONS", "POST"], include_in_schema=False)
    def any_caller(caller: Annotated[Caller, Depends(authentication.caller)]) -> list[str]:
        return [caller.tenant_id, caller.application_id]

    @app.get("/read")
    async def read(caller: Annotated[Caller, authentication.require("devices:read")]) -> str:
        return caller.tenant_id

    @app.get("/admin")
    def admin(caller: Annotated[Caller, authentication.require("devices:read admin")]) -> str:
        return caller.tenant_id

    @app.post("/typed/{number}")
    def typed(number: int, caller: Annotated[Caller, Depends(authentication.caller)]) -> str:
        return f"{number} {caller.tenant_id}"

    @router.get("/x")
    def routed() -> str:
        return "routed"

    @app.websocket("/chat")
    async def chat(websocket: WebSocket, _: Annotated[Caller, Depends(authentication.caller)]) -> None:
        await websocket.accept()

    app.include_router(router)
    return app


@pytest.fixture
def client() -> Iterator[TestClient]:
    """Return a client of the protected application."""
    with TestClient(_app()) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/any", [TENANT, APPLICATION]), ("/read", TENANT), ("/router/x", "routed"), ("/open", "open")],
)
def test_good_token_opens_endpoints(client: TestClient, path: str, expected: object) -> None:
    """Endpoints get the caller, routers only let the request through, and what needs no token needs none."""
    answer = client.get(path, headers=GOOD)
    assert (answer.status_code, answer.json()) == (200, expected)


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        pytest.param({}, "Bearer", id="g01-no-header"),
        pytest.param({"authorization": "Basic dXNlcjpwYXNz"}, "Bearer", id="g04-other-scheme"),
        pytest.param({"authorization": "Bearer"}, 'Bearer error="invalid_token"', id="g02-no-token"),
        pytest.param({"authorization": "Bearer x.y.z"}, 'Bearer error="invalid_token"', id="no-token"),
        pytest.param({"authorization": f"Bearer {KEY.token(exp=1)}"}, 'Bearer error="invalid_token"', id="expired"),
    ],
)
@pytest.mark.parametrize("path", ["/any", "/read", "/admin", "/router/x"])
def test_refusals_are_the_contracts(client: TestClient, path: str, headers: dict[str, str], challenge: str) -> None:
    """401 has the exact body, type, challenge and no-store, wherever the dependency stands."""
    answer = client.get(path, headers=headers)
    assert (answer.status_code, answer.content) == (401, UNAUTHORIZED)
    assert answer.headers["www-authenticate"] == challenge
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers.get_list("content-length") == [str(len(UNAUTHORIZED))]


def test_g05_two_headers_are_refused(client: TestClient) -> None:
    """Two Authorization headers are refused: FastAPI's own bearer scheme would take the first."""
    pair = ("Authorization", GOOD["authorization"])
    assert client.get("/any", headers=[pair, pair]).content == UNAUTHORIZED


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_g14_every_method_needs_a_token(client: TestClient, method: str) -> None:
    """HEAD and OPTIONS are no exception."""
    answer = client.request(method, "/any")
    assert (answer.status_code, answer.content) == (401, b"" if method == "HEAD" else UNAUTHORIZED)


def test_missing_scope_is_forbidden(client: TestClient) -> None:
    """403 by the contract, naming the scopes needed."""
    answer = client.get("/admin", headers=GOOD)
    assert (answer.status_code, answer.json()["error"]) == (403, "Forbidden")
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="devices:read admin"'


def test_who_asks_comes_before_what_is_asked(client: TestClient) -> None:
    """A request without a token hears nothing of its other mistakes."""
    assert client.post("/typed/nonsense").status_code == 401


@pytest.mark.parametrize("error", [KeysUnavailable("none"), RuntimeError("a defect")], ids=repr)
def test_g16_no_keys_and_defects_are_503(error: Exception) -> None:
    """When nothing can be said about a token, the answer is 503 and not an error page."""

    class Broken:
        def find(self, kid: str) -> None:
            assert kid
            raise error

    with TestClient(_app(Verifier(issuer=ISSUER, audience=AUDIENCE, keys=Broken()))) as client:
        answer = client.get("/any", headers=GOOD)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


@pytest.mark.parametrize("headers", [{}, GOOD], ids=["no-token", "good-token"])
def test_g15_websockets_are_closed(client: TestClient, headers: dict[str, str]) -> None:
    """A WebSocket whose endpoint needs a caller does not open, whatever it shows: it would outlive its token."""
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/chat", headers=headers):
        pass
    assert closed.value.code == 1008


def test_openapi_shows_the_scheme(client: TestClient) -> None:
    """Protected operations name bearerAuth, and only they."""
    document = client.get("/openapi.json").json()
    assert list(document["components"]["securitySchemes"]) == ["bearerAuth"]
    scheme = document["components"]["securitySchemes"]["bearerAuth"]
    assert (scheme["type"], scheme["scheme"], scheme["bearerFormat"]) == ("http", "bearer", "JWT")
    protected = {path for path, item in document["paths"].items() if item.get("get", {}).get("security")}
    assert protected == {"/any", "/read", "/admin", "/router/x"}
    assert document["paths"]["/any"]["get"]["security"] == [{"bearerAuth": []}]
    assert document["paths"]["/admin"]["get"]["security"] == [{"bearerAuth": ["devices:read", "admin"]}]


def test_scopes_in_fastapis_own_way_are_demanded() -> None:
    """Scopes that are named with FastAPI's Security count, those of a router and of its endpoint together."""
    app = FastAPI()
    caller = Authentication(app, VERIFIER).caller
    router = APIRouter(dependencies=[Security(caller, scopes=["devices:read"])])

    @router.get("/good")
    def good(_: Annotated[Caller, Security(caller, scopes=["devices:write"])]) -> None: ...

    @router.get("/lacking")
    def lacking(_: Annotated[Caller, Security(caller, scopes=["admin"])]) -> None: ...

    app.include_router(router)
    with TestClient(app) as client:
        assert client.get("/good", headers=GOOD).status_code == 200
        assert client.get("/lacking", headers=GOOD).status_code == 403


def test_g15_middleware_closes_what_dependencies_cannot() -> None:
    """With the ASGI middleware as well, paths that don't exist, the OpenAPI pages and malformed bodies need a token."""
    app = _app()
    app.add_middleware(AuthenticationMiddleware, verifier=VERIFIER)

    @app.post("/body")
    def body(sent: dict[str, int]) -> dict[str, int]:
        return sent

    with TestClient(app) as client:
        for method, path in (("GET", "/nothing"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/open")):
            assert client.request(method, path).content == UNAUTHORIZED
        assert client.post("/body", content=b"{").content == UNAUTHORIZED
        assert client.post("/body", content=b"{", headers=GOOD).status_code == 422
        assert client.get("/read", headers=GOOD).json() == TENANT
        assert client.get("/admin", headers=GOOD).status_code == 403


def test_scope_of_an_endpoint_must_be_one() -> None:
    """A misspelt scope is found when the application starts, not at a request."""
    with pytest.raises(InvalidInput):
        Authentication(FastAPI(), VERIFIER).require('a"b')
