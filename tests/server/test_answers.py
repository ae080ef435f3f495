"""Answers: the contract's error form, and which exception gets which."""

import json

import pytest

from sensos_auth.model.errors import (
    AuthenticationFailed,
    ConfigurationError,
    Conflict,
    InvalidInput,
    NotFound,
    RegistryUnavailable,
    SensosAuthError,
)
from sensos_auth.server.answers import (
    INVALID_CREDENTIALS,
    UNAVAILABLE,
    Refusal,
    answer_to,
    error_answer,
    json_answer,
    method_not_allowed,
)
from tests.server.contract import PHRASES, error_body


@pytest.mark.parametrize("status", PHRASES)
def test_error_has_the_contracts_form(status: int) -> None:
    """Reason phrase of RFC 9110, message, type, length, and nothing that a cache would keep."""
    answer = error_answer(status, "do that")
    assert (answer.status, answer.body) == (status, error_body(status, "do that"))
    assert answer.headers == [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
    ]


def test_message_is_written_as_json() -> None:
    """Whatever is in it."""
    assert json.loads(error_answer(400, 'a"b\\c\n\u00e9').body)["message"] == 'a"b\\c\n\u00e9'


def test_refused_credentials() -> None:
    """The contract's words, letter by letter."""
    assert INVALID_CREDENTIALS.status == 401
    assert INVALID_CREDENTIALS.body == (
        b'{"error":"Unauthorized","message":"Invalid tenant ID, application ID or application secret"}'
    )


def test_method_not_allowed_names_the_allowed() -> None:
    """In the header and in the message."""
    answer = method_not_allowed("GET", "HEAD")
    assert (b"allow", b"GET, HEAD") in answer.headers
    assert json.loads(answer.body)["message"] == "This path answers GET, HEAD only"


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (AuthenticationFailed(), 401, "Invalid tenant ID, application ID or application secret"),
        (InvalidInput("tenantId is missing"), 400, "tenantId is missing"),
        (NotFound("there is no key x"), 404, "there is no key x"),
        (Refusal(error_answer(413, "too large")), 413, "too large"),
    ],
)
def test_exceptions_that_are_the_requests_fault(error: Exception, status: int, message: str) -> None:
    """Their text is the answer's message."""
    answer = answer_to(error)
    assert (answer.status, answer.body) == (status, error_body(status, message))


def test_conflict() -> None:
    """409 with the text."""
    answer = answer_to(Conflict("under way already"))
    assert (answer.status, json.loads(answer.body)) == (409, {"error": "Conflict", "message": "under way already"})


@pytest.mark.parametrize(
    "error",
    [
        RegistryUnavailable("secret-4711"),
        ConfigurationError("secret-4711"),
        SensosAuthError("secret-4711"),
        ValueError("secret-4711"),
        RecursionError("secret-4711"),
        MemoryError("secret-4711"),
        KeyError("secret-4711"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_o04_everything_else_is_503(error: Exception) -> None:
    """With Retry-After, and without a word of the exception."""
    answer = answer_to(error)
    assert answer is UNAVAILABLE
    assert (b"retry-after", b"2") in answer.headers
    assert b"4711" not in answer.body


def test_json_answer_keeps_the_order_of_headers() -> None:
    """Type, length, then what was given."""
    answer = json_answer(b"{}", (b"etag", b'"a"'))
    assert answer == (
        200,
        [(b"content-type", b"application/json"), (b"content-length", b"2"), (b"etag", b'"a"')],
        b"{}",
    )
