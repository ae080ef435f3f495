from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from sensos_auth.model.errors import InvalidInput
from sensos_auth.verifying.wsgi import AuthenticationMiddleware
from tests.verifying.issued import APPLICATION, GOOD_TOKEN, VERIFIER

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

GOOD = f"Bearer {GOOD_TOKEN}"
UNAUTHORIZED = b'{"error":"Unauthorized","message":"Invalid or expired access token"}'


def _who(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["sensos_auth.caller"].application_id.encode()]


def _ask(scope: str = "", **environ: str) -> tuple[str, dict[str, str], bytes]:
    started: list[tuple[str, dict[str, str]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _: object = None, /) -> Callable[[bytes], object]:
        started.append((status, {name.lower(): value for name, value in headers}))
        return lambda _: None

    given: dict[str, object] = {"QUERY_STRING": "", **environ}
    setup_testing_defaults(given)
    answer = validator(AuthenticationMiddleware(validator(_who), VERIFIER, scope))(given, start_response)
    try:
        body = b"".join(answer)
    finally:
        answer.close()  # type: ignore[attr-defined] # the validator's iterator has it
    assert ("sensos_auth.caller" in given) == started[0][0].startswith("200")
    return (*started[0], body)


def test_caller_is_in_the_environment() -> None:
    """By the letter of PEP 3333: the standard library's validator stands on both sides."""
    assert _ask(HTTP_AUTHORIZATION=GOOD)[::2] == ("200 OK", APPLICATION.encode())


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
def test_g14_every_method_needs_a_token(method: str) -> None:
    """HEAD gets the headers alone."""
    status, headers, body = _ask(REQUEST_METHOD=method)
    assert (status, body) == ("401 Unauthorized", b"" if method == "HEAD" else UNAUTHORIZED)
    assert (headers["www-authenticate"], headers["content-length"]) == ("Bearer", str(len(UNAUTHORIZED)))


def test_scopes_are_demanded() -> None:
    """All of them, or 403."""
    assert _ask("devices:read", HTTP_AUTHORIZATION=GOOD)[0] == "200 OK"
    status, headers, _ = _ask("devices:read admin", HTTP_AUTHORIZATION=GOOD)
    assert status == "403 Forbidden"
    assert headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="devices:read admin"'


def test_scope_must_be_one() -> None:
    """A misspelt scope is found when the application starts."""
    with pytest.raises(InvalidInput):
        AuthenticationMiddleware(_who, VERIFIER, 'a"b')
