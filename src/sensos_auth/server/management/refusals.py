"""What the management API says where it refuses, in the contract's form and without a word of what was sent."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from sensos_auth.model.errors import Conflict, InvalidInput, NotFound
from sensos_auth.server.answers import NOT_FOUND, Answer, Refusal, answer_to, error_answer, method_not_allowed
from sensos_auth.verifying import refusal_for
from sensos_auth.verifying.refusals import REASONS

NO_SUCH_THING = error_answer(404, "There is no such tenant, application, secret, signing key or token")
_MEMBER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]{0,31}")


def refuse_in_form(app: FastAPI) -> None:
    """Have the application answer what is refused; what else is raised is left to the envelope."""
    for reason in REASONS:
        app.add_exception_handler(reason, _handler(_unauthorised))
    for error in (Refusal, InvalidInput, Conflict):
        app.add_exception_handler(error, _handler(answer_to))
    app.add_exception_handler(NotFound, _handler(lambda _: NO_SUCH_THING))
    app.add_exception_handler(RequestValidationError, _handler(_malformed))
    app.add_exception_handler(HTTPException, _no_route)


def _handler(answer: Callable[[Any], Answer]) -> Callable[[Request, Exception], Any]:
    async def handle(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
        return _response(answer(error))

    return handle


def _unauthorised(error: Exception) -> Answer:
    refusal = refusal_for(error)
    return Answer(refusal.status, refusal.raw_headers(), refusal.body)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    allowed = [
        method
        for route in request.app.routes
        if route.matches(request.scope)[0] is not Match.NONE
        for method in sorted(route.methods)
    ]
    return _response(method_not_allowed(*allowed) if allowed else NOT_FOUND)


def _malformed(error: RequestValidationError) -> Answer:
    first = error.errors()[0]
    where, *inside = first["loc"]
    if not inside:
        return error_answer(400, "The body must be a JSON object")
    return error_answer(400, _what_to_mend(first, where, str(inside[0])))


def _what_to_mend(error: Mapping[str, Any], where: str, member: str) -> str:
    match error["type"]:
        case "missing":
            return f"{member} is missing"
        case "extra_forbidden":
            known = f": {member}" if _MEMBER.fullmatch(member) else ""
            return f"There is no such {'parameter' if where == 'query' else 'member to change'}{known}"
        case "string_type":
            return f"{member} must be a string"
        case "int_type":
            return f"{member} must be a whole number"
        case "string_pattern_mismatch":
            return f"{member} holds characters that it must not hold"
        case _:
            said = error["msg"].removeprefix("Value error, ")
            return f"{member}: {said[:1].lower()}{said[1:]}"


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, {name.decode(): value.decode() for name, value in answer.headers})
