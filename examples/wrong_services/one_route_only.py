"""WRONG ON PURPOSE, never to be used. The mistake: the check and the router read method and path differently.

Run: granian --interface asgi --port 8001 one_route_only:app
"""

import os
from posixpath import normpath

from sensos_auth.verifying import AuthenticationMiddleware, RemoteJwks, Verifier
from sensos_auth.verifying.asgi import Receive, Scope, Send

issuer = os.environ["SENSOS_AUTH_ISSUER"]
keys = RemoteJwks(f"{issuer}/.well-known/jwks.json")
keys.wait_until_ready()
verifier = Verifier(issuer=issuer, audience=os.environ["SENSOS_AUTH_AUDIENCE"], keys=keys)


async def service(scope: Scope, receive: Receive, send: Send) -> None:
    # The router is friendly: //v1/vehicles, /v1/./vehicles and /V1/Vehicles are all the same to it.
    is_known = normpath(scope["path"].replace("//", "/")).lower() == "/v1/vehicles"
    await send({"type": "http.response.start", "status": 200 if is_known else 404, "headers": []})
    await send({"type": "http.response.body", "body": b'["a vehicle"]' if is_known else b""})


protected = AuthenticationMiddleware(service, verifier)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    # The list of what is protected knows one spelling, and GET.
    is_protected = scope["type"] != "http" or (scope["method"], scope["path"]) == ("GET", "/v1/vehicles")
    await (protected if is_protected else service)(scope, receive, send)
