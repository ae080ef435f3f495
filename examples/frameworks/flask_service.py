"""A Flask service. Run: flask --app flask_service run --port 8001."""

import os

from flask import Flask, g

from sensos_auth.verifying import RemoteJwks, Verifier
from sensos_auth.verifying.flask import Authentication

issuer = os.environ["SENSOS_AUTH_ISSUER"]
keys = RemoteJwks(f"{issuer}/.well-known/jwks.json")
keys.wait_until_ready()
verifier = Verifier(issuer=issuer, audience=os.environ["SENSOS_AUTH_AUDIENCE"], keys=keys)

app = Flask(__name__)
authentication = Authentication(verifier)
authentication.protect(app)


@app.get("/v1/whoami")
def whoami() -> dict[str, str]:
    return {"tenantId": g.caller.tenant_id, "applicationId": g.caller.application_id}


@app.get("/v1/vehicles")
@authentication.require("vehicles:read")
def vehicles() -> list[str]:
    return [f"a vehicle of {g.caller.tenant_id}"]
