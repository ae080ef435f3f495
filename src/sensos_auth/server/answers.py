"""HTTP answers of the API: JSON bodies, the contract's error form, and which error gets which."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from sensos_auth.model.errors import AuthenticationFailed, Conflict, InvalidInput, NotFound
from sensos_auth.server.asgi import Header, Receive, Scope

NO_STORE: Header = (b"cache-control", b"no-store")
_JSON: Header = (b"content-type", b"application/json")
_RETRY_AFTER: Header = (b"retry-after", b"2")  # seconds, RFC 9110 section 10.2.3
_PHRASES = {413: "Content Too Large"}  # RFC 9110 section 15.5.14; older versions of Python still have an older phrase


class Answer(NamedTuple):
    """A whole HTTP answer, but for what every answer carries (:mod:`sensos_auth.server.envelope`)."""

    status: int
    headers: list[Header]
    body: bytes


# Takes a request as ASGI has it, and returns the answer or raises what answer_to knows. Nobody else sends.
Endpoint = Callable[[Scope, Receive], Awaitable[Answer]]


class Refusal(Exception):
    """Raised where the request is at fault as HTTP; carries its answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(body: bytes, *headers: Header, status: int = 200) -> Answer:
    """Return an answer whose body is the JSON given."""
    return Answer(status, [_JSON, (b"content-length", b"%d" % len(body)), *headers], body)


def error_answer(status: int, message: str, *headers: Header) -> Answer:
    """Return ``{"error": <reason phrase>, "message": <what to do>}``. The message must not repeat what was sent."""
    phrase = _PHRASES.get(status) or HTTPStatus(status).phrase
    body = msgspec.json.encode({"error": phrase, "message": message})
    return json_answer(body, NO_STORE, *headers, status=status)


INVALID_CREDENTIALS = error_answer(401, "Invalid tenant ID, application ID or application secret")
NOT_FOUND = error_answer(404, "There is nothing at this path")
UNAVAILABLE = error_answer(503, "The service cannot answer right now: try again later", _RETRY_AFTER)


def method_not_allowed(*allowed: str) -> Answer:
    """Return 405 with ``Allow`` (RFC 9110 section 15.5.6)."""
    methods = ", ".join(allowed)
    return error_answer(405, f"This path answers {methods} only", (b"allow", methods.encode()))


def answer_to(error: Exception) -> Answer:
    """Return the answer to an exception. One that has no better gets 503, and its text stays here."""
    match error:
        case AuthenticationFailed():
            return INVALID_CREDENTIALS
        case Refusal():
            return error.answer
        case InvalidInput():
            return error_answer(400, str(error))
        case NotFound():
            return error_answer(404, str(error))
        case Conflict():
            return error_answer(409, str(error))
        case _:
            return UNAVAILABLE
