import pytest
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from sensos_auth.model.errors import InvalidInput
from sensos_auth.verifying.starlette import CallerBackend, CallerUser, refuse, require
from tests.verifying.issued import APPLICATION, GOOD_TOKEN, VERIFIER

GOOD = {"authorization": f"Bearer {GOOD_TOKEN}"}
LACKS_SCOPE = b'{"error":"Forbidden","message":"The access token lacks a scope that this request needs"}'


async def _user(request: Request) -> Response:
    user = request.user
    assert isinstance(user, CallerUser)
    return JSONResponse([user.is_authenticated, user.identity, user.display_name, request.auth.scopes])


@require("devices:read")
def _sync(request: Request) -> Response:
    assert request.user.caller
    return PlainTextResponse("sync")


@require("admin")
def _sync_lacking(request: Request) -> Response:
    raise AssertionError(request)


class _Endpoint(HTTPEndpoint):
    @require("devices:read")
    async def get(self, request: Request) -> Response:
        return PlainTextResponse(request.user.identity)

    @require("devices:read admin")
    async def post(self, request: Request) -> Response:
        raise AssertionError(request)


@requires("devices:read")
async def _by_starlette(request: Request) -> Response:
    return PlainTextResponse(request.user.identity)


@requires(["devices:read", "admin"])
async def _lacking_by_starlette(request: Request) -> Response:
    raise AssertionError(request)


async def _chat(websocket: WebSocket) -> None:
    await websocket.accept()


APP = Starlette(
    routes=[
        Route("/user", _user),
        Route("/sync", _sync),
        Route("/sync-lacking", _sync_lacking),
        Route("/endpoint", _Endpoint),
        Route("/by-starlette", _by_starlette),
        Route("/lacking-by-starlette", _lacking_by_starlette),
        WebSocketRoute("/chat", _chat),
    ],
    middleware=[Middleware(AuthenticationMiddleware, backend=CallerBackend(VERIFIER), on_error=refuse)],
    exception_handlers={403: refuse},
)
CLIENT = TestClient(APP)


def test_caller_is_the_user() -> None:
    """Starlette's user is the application, with its scopes."""
    assert CLIENT.get("/user", headers=GOOD).json() == [
        *(True, APPLICATION, APPLICATION, ["devices:read", "devices:write"])
    ]


def test_require_guards_functions_and_methods() -> None:
    """Sync functions and the methods of an HTTPEndpoint are guarded as well."""
    assert CLIENT.get("/sync", headers=GOOD).text == "sync"
    assert CLIENT.get("/endpoint", headers=GOOD).text == APPLICATION
    for answer in (CLIENT.get("/sync-lacking", headers=GOOD), CLIENT.post("/endpoint", headers=GOOD)):
        assert (answer.status_code, answer.content) == (403, LACKS_SCOPE)
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="devices:read admin"'


def test_starlettes_own_requires_works() -> None:
    """Its refusals get the contract's body from the handler of 403; they don't say which scope is missing."""
    assert CLIENT.get("/by-starlette", headers=GOOD).text == APPLICATION
    answer = CLIENT.get("/lacking-by-starlette", headers=GOOD)
    assert (answer.status_code, answer.content) == (403, LACKS_SCOPE)
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'


@pytest.mark.parametrize("headers", [{}, GOOD], ids=["no-token", "good-token"])
def test_g15_websockets_are_closed(headers: dict[str, str]) -> None:
    """No WebSocket gets through, whatever it shows."""
    with pytest.raises(WebSocketDisconnect), CLIENT.websocket_connect("/chat", headers=headers):
        pass


def test_without_on_error_nobody_gets_in_either() -> None:
    """Who forgets to name ``refuse`` gets Starlette's own 400, and no pass."""
    app = Starlette(
        routes=[Route("/user", _user)],
        middleware=[Middleware(AuthenticationMiddleware, backend=CallerBackend(VERIFIER))],
    )
    assert TestClient(app).get("/user").status_code == 400


def test_require_without_the_middleware_lets_nobody_in() -> None:
    """An application that forgot the middleware breaks, rather than being open."""
    app = Starlette(routes=[Route("/sync", _sync)])
    assert TestClient(app, raise_server_exceptions=False).get("/sync", headers=GOOD).status_code == 500


def test_scope_must_be_one() -> None:
    """A misspelt scope is found when the application starts."""
    with pytest.raises(InvalidInput):
        require('a"b')
