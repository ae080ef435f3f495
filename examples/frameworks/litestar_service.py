"""A Litestar service. Run: granian --interface asgi --port 8001 litestar_service:app."""

import os

from litestar import Litestar, Request, get
from litestar.datastructures import State

from sensos_auth.verifying import Caller, Verifier
from sensos_auth.verifying.litestar import Authentication, require

verifier = Verifier.connect(os.environ["SENSOS_AUTH_ISSUER"], audience=os.environ["SENSOS_AUTH_AUDIENCE"])
verifier.wait_until_ready()


@get("/v1/whoami")
async def whoami(request: Request[Caller, str, State]) -> dict[str, str]:
    return {"tenantId": request.user.tenant_id, "applicationId": request.user.application_id}


@get("/v1/vehicles", guards=[require("vehicles:read")])
async def vehicles(request: Request[Caller, str, State]) -> list[str]:
    return [f"a vehicle of {request.user.tenant_id}"]


app = Litestar([whoami, vehicles], plugins=[Authentication(verifier)])
