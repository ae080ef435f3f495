"""A Flask service. Run: flask --app flask_service run --port 8001."""

import os

from flask import Flask, g

from sensos_auth.verifying import Verifier
from sensos_auth.verifying.flask import Authentication

verifier = Verifier.connect(os.environ["SENSOS_AUTH_ISSUER"], audience=os.environ["SENSOS_AUTH_AUDIENCE"])
verifier.wait_until_ready()

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
