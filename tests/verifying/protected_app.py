"""An application behind the middleware, as ASGI servers load it. The keys come from the URL in ``TEST_JWKS_URL``."""

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sensos_auth.verifying import AuthenticationMiddleware, RemoteJwks, Verifier
from tests.verifying.issued import AUDIENCE, ISSUER, NOW


async def _who(request: Request) -> Response:
    return PlainTextResponse(request.state.caller.application_id)


keys = RemoteJwks(os.environ["TEST_JWKS_URL"])
verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, clock=lambda: NOW)
app = AuthenticationMiddleware(Starlette(routes=[Route("/who", _who)]), verifier)
