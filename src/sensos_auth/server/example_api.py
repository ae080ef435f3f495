"""The example API: one protected endpoint, as an API engineer would write it with FastAPI and our verifier."""

from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response

from sensos_auth.server.answers import Endpoint, method_not_allowed
from sensos_auth.server.asgi_endpoint import endpoint_of
from sensos_auth.verifying import Caller, Verifier
from sensos_auth.verifying.fastapi import Authentication

PATH = "/v1/endpoint"


def example_api(verifier: Verifier) -> Endpoint:
    """Return an API whose endpoint tells the caller who he is: good for trying a token out."""
    app = FastAPI(openapi_url=None)
    authentication = Authentication(app, verifier)
    app.add_exception_handler(405, _method_not_allowed)

    @app.api_route(PATH, methods=["GET", "HEAD"])
    async def endpoint(caller: Annotated[Caller, Depends(authentication.caller)]) -> dict[str, str | int | list[str]]:
        return {
            "tenantId": caller.tenant_id,
            "applicationId": caller.application_id,
            "scopes": sorted(caller.scopes),
            "expiresAt": caller.expires_at,
        }

    return endpoint_of(app)


async def _method_not_allowed(request: Request, error: Exception) -> Response:  # noqa: ARG001 - FastAPI's signature
    answer = method_not_allowed("GET", "HEAD")
    return Response(answer.body, answer.status, {name.decode(): value.decode() for name, value in answer.headers})
