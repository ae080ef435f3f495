"""A service on aiohttp's server. Run: python -m aiohttp.web --port 8001 aiohttp_service:make_app."""

import os

from aiohttp import web

from sensos_auth.verifying import Verifier
from sensos_auth.verifying.aiohttp import CALLER, authentication, require

verifier = Verifier.connect(os.environ["SENSOS_AUTH_ISSUER"], audience=os.environ["SENSOS_AUTH_AUDIENCE"])
verifier.wait_until_ready()


async def whoami(request: web.Request) -> web.Response:
    caller = request[CALLER]
    return web.json_response({"tenantId": caller.tenant_id, "applicationId": caller.application_id})


@require("vehicles:read")
async def vehicles(request: web.Request) -> web.Response:
    return web.json_response([f"a vehicle of {request[CALLER].tenant_id}"])


def make_app(arguments: list[str]) -> web.Application:
    app = web.Application(middlewares=[authentication(verifier)])
    app.add_routes([web.get("/v1/whoami", whoami), web.get("/v1/vehicles", vehicles)])
    return app
