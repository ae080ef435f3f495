"""A FastAPI service. Run: granian --interface asgi --port 8001 fastapi_service:app."""

import os
from typing import Annotated

from fastapi import Depends, FastAPI

from sensos_auth.verifying import Caller, Verifier
from sensos_auth.verifying.fastapi import Authentication

verifier = Verifier.connect(os.environ["SENSOS_AUTH_ISSUER"], audience=os.environ["SENSOS_AUTH_AUDIENCE"])
verifier.wait_until_ready()

app = FastAPI()
authentication = Authentication(app, verifier)


@app.get("/v1/whoami")
def whoami(caller: Annotated[Caller, Depends(authentication.caller)]) -> dict[str, str]:
    return {"tenantId": caller.tenant_id, "applicationId": caller.application_id}


@app.get("/v1/vehicles")
def vehicles(caller: Annotated[Caller, authentication.require("vehicles:read")]) -> list[str]:
    return [f"a vehicle of {caller.tenant_id}"]
