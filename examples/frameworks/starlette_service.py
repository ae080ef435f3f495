"""A Starlette service. Run: granian --interface asgi --port 8001 starlette_service:app."""

import os

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sensos_auth.verifying import Verifier
from sensos_auth.verifying.starlette import CallerBackend, refuse, require

verifier = Verifier.connect(os.environ["SENSOS_AUTH_ISSUER"], audience=os.environ["SENSOS_AUTH_AUDIENCE"])
verifier.wait_until_ready()


async def whoami(request: Request) -> JSONResponse:
    caller = request.user.caller
    return JSONResponse({"tenantId": caller.tenant_id, "applicationId": caller.application_id})


@require("vehicles:read")
async def vehicles(request: Request) -> JSONResponse:
    return JSONResponse([f"a vehicle of {request.user.caller.tenant_id}"])


app = Starlette(
    routes=[Route("/v1/whoami", whoami), Route("/v1/vehicles", vehicles)],
    middleware=[Middleware(AuthenticationMiddleware, backend=CallerBackend(verifier), on_error=refuse)],
)
