"""What the API answered: a document, a page of a collection, or an error in the API's own words."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2

from sensos_auth.client.errors import ApiError, ApiUnavailable

_CONFIDENTIAL = re.compile(r"sensos_sk_[^\s'\"]+|eyJ[\w-]+(?:\.[\w-]*)+")
_LONGEST_MESSAGE = 1000
_FIRST_REDIRECT = 300
_FIRST_ERROR = 400

Outcome = httpx2.Response | httpx2.RequestError


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a collection, and the cursor of the next one if there is one."""

    things: list[Any]
    next_cursor: str | None


def document_of(outcome: Outcome) -> Any:  # noqa: ANN401 - any JSON document
    """Return the JSON document of the answer, None for an empty one; raises ApiError and ApiUnavailable."""
    if isinstance(outcome, httpx2.RequestError):
        raise ApiUnavailable(f"the API gave no whole answer: {type(outcome).__name__}") from None
    if outcome.status_code >= _FIRST_REDIRECT:
        raise _error(outcome)
    if not outcome.content:
        return None
    try:
        return outcome.json()
    except (ValueError, RecursionError):
        raise ApiUnavailable(f"the API answered {outcome.status_code} with something that is not JSON") from None


def page_of(document: object, entity: str) -> Page:
    """Return the page that the document is, by the Sensos convention; raises ApiUnavailable when it is none."""
    if isinstance(document, dict) and isinstance(metadata := document.get("metadata"), dict):
        things, cursor = document.get(entity), metadata.get("nextCursor", 0)
        if isinstance(things, list) and (cursor is None or isinstance(cursor, str)):
            return Page(things, cursor)
    raise ApiUnavailable(f"the API answered with something that is not a page of {entity}")


def _error(response: httpx2.Response) -> ApiError:
    status = response.status_code
    request_id = _shown(response.headers.get("x-request-id")) or None
    if status < _FIRST_ERROR:
        return ApiError(status, _phrase(status), "a redirect, which is not followed", request_id)
    try:
        members = response.json()
    except (ValueError, RecursionError):
        members = None
    if not isinstance(members, dict):
        members = {}
    error, message = (_shown(members.get(name)) for name in ("error", "message"))
    return ApiError(status, error or _phrase(status), message, request_id)


def _shown(text: object) -> str:
    if not isinstance(text, str):
        return ""
    printable = "".join(character if character.isprintable() else " " for character in text[:_LONGEST_MESSAGE])
    return _CONFIDENTIAL.sub("[not shown]", printable)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
