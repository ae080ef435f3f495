"""An ASGI application without a framework. Run: granian --interface asgi --port 8001 asgi_service:app."""

import json
import os

from sensos_auth.verifying import AuthenticationMiddleware, Verifier
from sensos_auth.verifying.asgi import AsgiApplication, Receive, Scope, Send

verifier = Verifier.connect(os.environ["SENSOS_AUTH_ISSUER"], audience=os.environ["SENSOS_AUTH_AUDIENCE"])
verifier.wait_until_ready()


async def whoami(scope: Scope, receive: Receive, send: Send) -> None:
    caller = scope["state"]["caller"]
    body = json.dumps({"tenantId": caller.tenant_id, "applicationId": caller.application_id}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


async def vehicles(scope: Scope, receive: Receive, send: Send) -> None:
    body = json.dumps([f"a vehicle of {scope['state']['caller'].tenant_id}"]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body"})


routes: dict[str, AsgiApplication] = {
    "/v1/whoami": whoami,
    "/v1/vehicles": AuthenticationMiddleware(vehicles, verifier, scope="vehicles:read"),
}


async def service(scope: Scope, receive: Receive, send: Send) -> None:
    await routes.get(scope["path"], nothing)(scope, receive, send)


app = AuthenticationMiddleware(service, verifier)
