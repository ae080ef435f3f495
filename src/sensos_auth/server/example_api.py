"""The example API: one protected endpoint, as an API engineer would write it with FastAPI and our verifier."""

from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from starlette.exceptions import HTTPException

from sensos_auth.server.answers import NOT_FOUND, UNAVAILABLE, Answer, Endpoint, method_not_allowed
from sensos_auth.server.asgi import Message, Receive, Scope
from sensos_auth.verifying import Caller, Verifier
from sensos_auth.verifying.fastapi import Authentication

PATH = "/v1/endpoint"


class WhoCalls(BaseModel):
    """What the access token says of its bearer."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    tenant_id: str
    application_id: str
    scopes: list[str]
    expires_at: int


def example_api(verifier: Verifier) -> Endpoint:
    """Return an API whose endpoint tells the caller who he is: good for trying a token out."""
    app = FastAPI(openapi_url=None)
    authentication = Authentication(app, verifier)
    app.add_exception_handler(HTTPException, _contract_error)
    app.add_exception_handler(Exception, _unexpected)

    @app.api_route(PATH, methods=["GET", "HEAD"])
    async def endpoint(caller: Annotated[Caller, Depends(authentication.caller)]) -> WhoCalls:
        return WhoCalls(
            tenant_id=caller.tenant_id,
            application_id=caller.application_id,
            scopes=sorted(caller.scopes),
            expires_at=caller.expires_at,
        )

    return _answers_of(app)


async def _contract_error(request: Request, error: Exception) -> Response:  # noqa: ARG001 - FastAPI's signature
    is_method = isinstance(error, HTTPException) and error.status_code == 405  # noqa: PLR2004 - RFC 9110 section 15.5.6
    answer = method_not_allowed("GET", "HEAD") if is_method else NOT_FOUND
    return _response(answer)


async def _unexpected(request: Request, error: Exception) -> Response:  # noqa: ARG001 - FastAPI's signature
    return _response(UNAVAILABLE)  # the envelope around this application logs the error


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, {name.decode(): value.decode() for name, value in answer.headers})


def _answers_of(app: FastAPI) -> Endpoint:
    async def endpoint(scope: Scope, receive: Receive) -> Answer:
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await app(scope, receive, keep)
        start, *rest = sent
        return Answer(start["status"], list(start["headers"]), b"".join(message.get("body", b"") for message in rest))

    return endpoint
