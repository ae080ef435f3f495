from typing import Any

import pytest
from litestar import Litestar, Request, Response, Router, asgi, get, websocket
from litestar.connection import WebSocket
from litestar.datastructures import State
from litestar.exceptions import NotFoundException, WebSocketDisconnect
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme
from litestar.testing import TestClient

from sensos_auth.verifying import Caller
from sensos_auth.verifying.litestar import Authentication, require
from tests.verifying.issued import APPLICATION, GOOD_CLAIMS, GOOD_TOKEN, TENANT, VERIFIER

GOOD = {"authorization": f"Bearer {GOOD_TOKEN}"}
UNAUTHORIZED = b'{"error":"Unauthorized","message":"Invalid or expired access token"}'


@get("/whoami")
async def _whoami(request: Request[Caller, str, State]) -> list[str]:
    return [request.user.tenant_id, request.user.application_id, request.auth]


@get("/health", exclude_from_auth=True)
async def _health() -> str:
    return "open"


@get("/open-but-missing", exclude_from_auth=True)
async def _open_but_missing() -> str:
    raise NotFoundException("no such thing")


@get("/admin", guards=[require("devices:read admin")])
async def _admin() -> str:
    return "admin"


@get("/open-but-scoped", exclude_from_auth=True, guards=[require("devices:read")])
async def _open_but_scoped() -> str:
    raise AssertionError


@asgi("/mounted", is_mount=True, copy_scope=False)
async def _mounted(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
    await Response("mounted").to_asgi_response(app=None, request=Request(scope))(scope, receive, send)


@websocket("/chat")
async def _chat(socket: WebSocket[Any, Any, Any]) -> None:
    await socket.accept()


def _not_found(_: Request[Any, Any, Any], error: NotFoundException) -> Response[str]:
    return Response(f"ours: {error.status_code}", status_code=404)


OPENAPI = OpenAPIConfig(
    title="Fleet",
    version="1",
    components=Components(security_schemes={"other": SecurityScheme(type="http", scheme="basic")}),
)


def _client(**options: Any) -> TestClient[Litestar]:  # noqa: ANN401 - as Litestar takes them
    handlers: list[Any] = [
        _whoami,
        _health,
        _open_but_missing,
        _open_but_scoped,
        _mounted,
        _chat,
        Router("/routed", route_handlers=[_admin]),
    ]
    return TestClient(
        Litestar(handlers, plugins=[Authentication(VERIFIER)], openapi_config=OPENAPI, logging_config=None, **options)
    )


def test_caller_is_the_user() -> None:
    """Litestar's user is the caller, and its auth the token's ID."""
    with _client() as client:
        assert client.get("/whoami", headers=GOOD).json() == [TENANT, APPLICATION, GOOD_CLAIMS.jti]


def test_guard_demands_scopes() -> None:
    """403 by the contract, also within a router."""
    with _client() as client:
        answer = client.get("/routed/admin", headers=GOOD)
        assert client.get("/routed/admin").content == UNAUTHORIZED
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="devices:read admin"'


def test_a_route_can_be_left_open() -> None:
    """Litestar's own exclude_from_auth opens a route, and what that route answers stays its own."""
    with _client() as client:
        assert client.get("/health").text == "open"
        assert client.get("/open-but-missing").json()["detail"] == "no such thing"
        assert client.get("/open-but-scoped", headers=GOOD).content == UNAUTHORIZED


@pytest.mark.parametrize("path", ["/nothing", "/schema", "/schema/openapi.json", "/mounted", "/mounted/x"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_g14_g15_everything_else_is_closed(method: str, path: str) -> None:
    """Paths that do not exist, and the OpenAPI pages, need a token; with one they are as ever."""
    with _client() as client:
        assert client.request(method, path).status_code == 401
        assert client.request(method, path, headers=GOOD).status_code in {200, 204, 404, 405}


def test_g15_an_applications_own_handlers_come_after_authentication() -> None:
    """A handler of 404, by number or by exception, answers those who may know what is not there."""
    for key in (404, NotFoundException):
        with _client(exception_handlers={key: _not_found}) as client:
            assert client.get("/nothing").content == UNAUTHORIZED
            assert client.get("/nothing", headers=GOOD).text == "ours: 404"


@pytest.mark.parametrize("headers", [{}, GOOD], ids=["no-token", "good-token"])
def test_g15_websockets_are_closed(headers: dict[str, str]) -> None:
    """No WebSocket gets through, whatever it shows."""
    with _client() as client, pytest.raises(WebSocketDisconnect) as closed:
        client.websocket_connect("/chat", headers=headers).__enter__()
    assert closed.value.code == 1008


def test_openapi_shows_the_scheme() -> None:
    """It is there beside the application's own."""
    with _client() as client:
        document = client.get("/schema/openapi.json", headers=GOOD).json()
    assert document["components"]["securitySchemes"].keys() == {"bearerAuth", "other"}
    assert document["security"] == [{"bearerAuth": []}]
    assert OPENAPI.security is None
