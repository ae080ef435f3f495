"""A WSGI application without a framework. Run: granian --interface wsgi --port 8001 wsgi_service:application."""

import json
import os
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sensos_auth.verifying import Verifier
from sensos_auth.verifying.wsgi import AuthenticationMiddleware

verifier = Verifier.connect(os.environ["SENSOS_AUTH_ISSUER"], audience=os.environ["SENSOS_AUTH_AUDIENCE"])
verifier.wait_until_ready()


def whoami(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    caller = environ["sensos_auth.caller"]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"tenantId": caller.tenant_id, "applicationId": caller.application_id}).encode()]


def vehicles(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([f"a vehicle of {environ['sensos_auth.caller'].tenant_id}"]).encode()]


def nothing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return []


routes: dict[str, WSGIApplication] = {
    "/v1/whoami": whoami,
    "/v1/vehicles": AuthenticationMiddleware(vehicles, verifier, scope="vehicles:read"),
}


def service(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    return routes.get(environ["PATH_INFO"], nothing)(environ, start_response)


application = AuthenticationMiddleware(service, verifier)
