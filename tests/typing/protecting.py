"""Right and wrong uses of the verifier's public names, for mypy: nothing here is run.

What is right must check. What is wrong carries the error that it must get; ``make check`` fails when it gets none.
"""

from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, assert_type

import grpc
import grpc.aio
from aiohttp import web
from django.http import HttpRequest, HttpResponse
from fastapi import Depends, FastAPI
from flask import Blueprint, Flask
from litestar import Litestar, get
from rest_framework.permissions import BasePermission
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware as StarletteMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sensos_auth.verifying import (
    AuthenticationMiddleware,
    Caller,
    ConnectedVerifier,
    LocalJwks,
    Refusal,
    Verifier,
    aiohttp,
    authenticate,
    django,
    djangorestframework,
    fastapi,
    flask,
    litestar,
    refusal_for,
    starlette,
    wsgi,
)
from sensos_auth.verifying import grpc as grpc_adapter

verifier = Verifier(issuer="https://auth.example.com", audience="sensos-api", keys=LocalJwks("{}"))
connected = Verifier.connect("https://auth.example.com", audience="sensos-api")
assert_type(connected, ConnectedVerifier)


def the_core() -> None:
    """Issuer and audience are required, names are fixed, and a caller cannot be changed."""
    Verifier(issuer="https://auth.example.com", keys=LocalJwks("{}"))  # type: ignore[call-arg]
    Verifier(audience="sensos-api", keys=LocalJwks("{}"))  # type: ignore[call-arg]
    Verifier("https://auth.example.com", "sensos-api", LocalJwks("{}"))  # type: ignore[call-arg]
    Verifier(issuer="x", audience="y", keys=LocalJwks("{}"), verify=False)  # type: ignore[call-arg]
    Verifier.connect("https://auth.example.com")  # type: ignore[call-arg]
    caller = verifier.verify("token", scope="devices:read")
    assert_type(caller, Caller)
    assert_type(caller.scopes, frozenset[str])
    caller.tenant_id = "another"  # type: ignore[misc]
    caller.scopes.add("admin")  # type: ignore[attr-defined]
    caller.claims["scope"] = "admin"  # type: ignore[index]
    verifier.verify(b"token")  # type: ignore[arg-type]
    verifier.verify("token", "devices:read")  # type: ignore[call-arg]
    verifier.verify("token", scope=["devices:read"])  # type: ignore[arg-type]
    assert_type(authenticate(verifier, [b"Bearer x", "Bearer x"]), Caller)
    authenticate(verifier, None)  # type: ignore[arg-type]
    assert_type(refusal_for(ValueError()), Refusal)


def with_asgi_and_wsgi(asgi_app: Starlette, flask_app: Flask) -> None:
    """Each takes an application of its own kind, and a verifier."""
    AuthenticationMiddleware(asgi_app, verifier, scope="devices:read")
    AuthenticationMiddleware(flask_app, verifier)  # type: ignore[arg-type]
    wsgi.AuthenticationMiddleware(flask_app, verifier, scope="devices:read")
    wsgi.AuthenticationMiddleware(asgi_app, verifier)  # type: ignore[arg-type]
    wsgi.AuthenticationMiddleware(flask_app)  # type: ignore[call-arg]


def with_fastapi(app: FastAPI, flask_app: Flask) -> None:
    """The dependency's value is a Caller."""
    authentication = fastapi.Authentication(app, verifier)
    fastapi.Authentication(flask_app, verifier)  # type: ignore[arg-type]
    authentication.require(["devices:read"])  # type: ignore[arg-type]

    @app.get("/", dependencies=[authentication.require("devices:read")])
    def endpoint(
        caller: Annotated[Caller, authentication.require("devices:read")],
        same: Annotated[Caller, Depends(authentication.caller)],
    ) -> None:
        assert_type(caller, Caller)
        assert_type(same.application_id, str)


def with_starlette() -> None:
    """Endpoints keep their parameters, and answer with their own response or a refusal."""
    backend = starlette.CallerBackend(verifier)
    Middleware(StarletteMiddleware, backend=backend, on_error=starlette.refuse)

    @starlette.require("devices:read")
    async def endpoint(request: Request) -> JSONResponse:
        return JSONResponse(str(request.url))

    @starlette.require("devices:read")
    def synchronous(request: Request) -> JSONResponse:
        return JSONResponse(str(request.url))

    def check(request: Request) -> None:
        _ = assert_type(endpoint(request), Awaitable[JSONResponse | Response])
        assert_type(synchronous(request), JSONResponse | Response)
        synchronous("no request")  # type: ignore[arg-type]

    check(Request({"type": "http"}))
    starlette.require(1)  # type: ignore[arg-type]


def with_litestar() -> None:
    """A plugin and guards."""

    @get("/", guards=[litestar.require("devices:read")])
    async def handler() -> None: ...

    Litestar([handler], plugins=[litestar.Authentication(verifier)])
    litestar.Authentication("https://auth.example.com")  # type: ignore[arg-type]


def with_flask(app: Flask, blueprint: Blueprint) -> None:
    """Decorated views keep their types."""
    authentication = flask.Authentication(verifier)
    authentication.protect(app, open_endpoints=["health"])
    authentication.protect(blueprint)
    authentication.protect(app, ["health"])  # type: ignore[call-arg]

    @authentication.require("devices:read")
    def view(number: int) -> str:
        return str(number)

    assert_type(view(1), str)
    view("one")  # type: ignore[arg-type]

    @authentication.require  # type: ignore[arg-type]
    def forgot_to_call() -> str:
        return ""


def with_django(request: HttpRequest) -> None:
    """A protected view may rely on the caller, and is a view of plain requests outside."""

    @django.require("devices:read")
    def view(request: django.AuthenticatedRequest, number: int) -> HttpResponse:
        return HttpResponse(f"{number} {request.caller.tenant_id}")

    @django.require("devices:read")
    async def asynchronous(request: django.AuthenticatedRequest) -> HttpResponse:
        return HttpResponse(request.caller.tenant_id)

    assert_type(view(request, 1), HttpResponse)
    _ = assert_type(asynchronous(request), Awaitable[HttpResponse])
    view(request, "one")  # type: ignore[arg-type]
    request.caller  # type: ignore[attr-defined] # noqa: B018 - a plain request has none
    assert_type(djangorestframework.require("devices:read"), type[BasePermission])
    djangorestframework.require(None)  # type: ignore[arg-type]


def with_aiohttp(request: web.Request) -> None:
    """The key knows its value's type."""
    web.Application(middlewares=[aiohttp.authentication(verifier)])
    assert_type(request[aiohttp.CALLER], Caller)
    request[aiohttp.CALLER] = "somebody"  # type: ignore[misc]

    @aiohttp.require("devices:read")
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=str(request.url))

    @aiohttp.require("devices:read")  # type: ignore[arg-type]
    def no_coroutine(request: web.Request) -> web.Response:
        return web.Response(text=str(request.url))


def with_grpc() -> None:
    """Each server takes the interceptor of its kind."""
    grpc.server(ThreadPoolExecutor(), interceptors=[grpc_adapter.AuthenticationInterceptor(verifier)])
    grpc.aio.server(interceptors=[grpc_adapter.AsyncAuthenticationInterceptor(verifier)])
    grpc.server(ThreadPoolExecutor(), interceptors=[grpc_adapter.AsyncAuthenticationInterceptor(verifier)])  # type: ignore[list-item]
    assert_type(grpc_adapter.current_caller(), Caller)

    @grpc_adapter.require("devices:read")
    def method(request: bytes, context: grpc.ServicerContext) -> bytes:
        return request + str(context.peer()).encode()

    method("text", grpc.ServicerContext())  # type: ignore[arg-type,abstract]
