"""A Litestar service. Run: granian --interface asgi --port 8001 litestar_service:app."""

import os

from litestar import Litestar, Request, get
from litestar.datastructures import State

from sensos_auth.verifying import Caller, RemoteJwks, Verifier
from sensos_auth.verifying.litestar import Authentication, require

issuer = os.environ["SENSOS_AUTH_ISSUER"]
keys = RemoteJwks(f"{issuer}/.well-known/jwks.json")
keys.wait_until_ready()
verifier = Verifier(issuer=issuer, audience=os.environ["SENSOS_AUTH_AUDIENCE"], keys=keys)


@get("/v1/whoami")
async def whoami(request: Request[Caller, str, State]) -> dict[str, str]:
    return {"tenantId": request.user.tenant_id, "applicationId": request.user.application_id}


@get("/v1/vehicles", guards=[require("vehicles:read")])
async def vehicles(request: Request[Caller, str, State]) -> list[str]:
    return [f"a vehicle of {request.user.tenant_id}"]


app = Litestar([whoami, vehicles], plugins=[Authentication(verifier)])
