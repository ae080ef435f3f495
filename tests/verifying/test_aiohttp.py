import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from sensos_auth.model.errors import InvalidInput
from sensos_auth.verifying.aiohttp import CALLER, authentication, require
from tests.verifying.issued import APPLICATION, GOOD_TOKEN, VERIFIER

GOOD = {"authorization": f"Bearer {GOOD_TOKEN}"}
UNAUTHORIZED = '{"error":"Unauthorized","message":"Invalid or expired access token"}'

Client = TestClient[web.Request, web.Application]


async def _who(request: web.Request) -> web.Response:
    return web.Response(text=request[CALLER].application_id)


@require("devices:read admin")
async def _lacking(request: web.Request) -> web.Response:
    raise AssertionError(request)


class _View(web.View):
    @require("devices:read")
    async def get(self) -> web.Response:
        return await _who(self.request)

    @require("devices:read admin")
    async def post(self) -> web.Response:
        raise AssertionError(self.request)


async def _chat(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.close()
    return socket


def _run(ask: Callable[[Client], Awaitable[None]], *, protect: bool = True) -> None:
    async def run() -> None:
        inner = web.Application()
        inner.add_routes([web.get("/who", _who)])
        app = web.Application(middlewares=[authentication(VERIFIER)] if protect else [])
        app.add_routes([web.get("/who", _who), web.get("/lacking", _lacking), web.get("/chat", _chat)])
        app.router.add_view("/view", _View)
        app.router.add_static("/static", "/usr/share/common-licenses")
        app.add_subapp("/inner", inner)
        async with TestClient(TestServer(app)) as client:
            await ask(client)

    asyncio.run(run())


def test_caller_is_in_the_request() -> None:
    """Under a typed key, also in an application within."""

    async def ask(client: Client) -> None:
        for path in ("/who", "/inner/who"):
            assert await (await client.get(path, headers=GOOD)).text() == APPLICATION

    _run(ask)


def test_g14_g15_everything_is_closed() -> None:
    """Routes, applications within, static files and what does not exist, by any method."""

    async def ask(client: Client) -> None:
        for path in ("/who", "/inner/who", "/inner/nothing", "/nothing", "/static/", "/static/GPL-3", "/chat"):
            for method in ("GET", "OPTIONS", "POST", "PURGE"):
                answer = await client.request(method, path)
                assert (answer.status, await answer.text()) == (401, UNAUTHORIZED)
            assert (await client.head(path)).status == 401

    _run(ask)


def test_scopes_are_demanded() -> None:
    """403 by the contract, of functions and of a view's methods."""

    async def ask(client: Client) -> None:
        for answer in (await client.get("/lacking", headers=GOOD), await client.post("/view", headers=GOOD)):
            assert answer.status == 403
            assert answer.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="devices:read admin"'
        assert await (await client.get("/view", headers=GOOD)).text() == APPLICATION

    _run(ask)


def test_g15_websockets_do_not_open() -> None:
    """403 for a good token, and no WebSocket."""

    async def ask(client: Client) -> None:
        with pytest.raises(Exception, match="403"):
            await client.ws_connect("/chat", headers=GOOD)

    _run(ask)


def test_require_without_the_middleware_lets_nobody_in() -> None:
    """A service that forgot the middleware breaks, rather than being open."""

    async def ask(client: Client) -> None:
        assert (await client.get("/lacking", headers=GOOD)).status == 500

    _run(ask, protect=False)


def test_scope_must_be_one() -> None:
    """A misspelt scope is found when the service starts."""
    with pytest.raises(InvalidInput):
        require('a"b')
