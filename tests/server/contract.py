"""The contract's answers, byte for byte, and what must hold after every bad request."""

import json
import re

from tests.running_service import ENDPOINT_PATH, TOKEN_PATH, ExampleApplication, RunningService
from tests.server.raw_http import Exchange, RawAnswer, exchange, request_bytes

PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    503: "Service Unavailable",
}
INVALID_CREDENTIALS = "Invalid tenant ID, application ID or application secret"
INVALID_TOKEN = "Invalid or expired access token"
WRONG_TYPE = "Send the body as Content-Type: application/json in UTF-8"
NOT_JSON = "The body is not valid JSON (RFC 8259, UTF-8)"
NOT_AN_OBJECT = "The body must be a JSON object with tenantId, applicationId, applicationSecret"
TOO_LARGE = "The body is larger than 8192 bytes"
BADLY_FRAMED = "The body ended early or is framed wrongly"
JSON_TYPE: tuple[str | bytes, str | bytes] = ("Content-Type", "application/json")

_LONGEST_SECONDS = 1.0
_REQUEST_ID = re.compile(r"[0-9a-f]{24}")


def error_body(status: int, message: str) -> bytes:
    """Return the body of an error."""
    return json.dumps({"error": PHRASES[status], "message": message}, separators=(",", ":")).encode()


def assert_error(answer: RawAnswer | None, status: int, message: str) -> RawAnswer:
    """Fail unless this is the contract's error with the status and message, whole; return it."""
    assert answer is not None, "the connection was closed without an answer"
    assert (answer.status, answer.body) == (status, error_body(status, message))
    assert answer.header("content-type") == "application/json"
    assert answer.header("content-length") == str(len(answer.body))
    assert answer.header("cache-control") == "no-store"
    assert answer.header("x-content-type-options") == "nosniff"
    assert _REQUEST_ID.fullmatch(answer.header("x-request-id") or "")
    return answer


def assert_invalid_token(answer: RawAnswer | None) -> RawAnswer:
    """Fail unless this is the 401 to a token that is not good."""
    answer = assert_error(answer, 401, INVALID_TOKEN)
    assert answer.header("www-authenticate") == 'Bearer error="invalid_token"'
    return answer


def assert_missing_token(answer: RawAnswer | None) -> RawAnswer:
    """Fail unless this is the 401 to no token at all."""
    answer = assert_error(answer, 401, INVALID_TOKEN)
    assert answer.header("www-authenticate") == "Bearer"
    return answer


def assert_bare_refusal(exchanged: Exchange, *statuses: int) -> None:
    """Fail unless the HTTP server itself refused: one of the statuses without a body, and the connection closed."""
    assert exchanged.answer is not None
    assert exchanged.answer.status in statuses
    assert exchanged.answer.body == b""
    assert exchanged.is_closed
    assert exchanged.seconds < _LONGEST_SECONDS


def ask(service: RunningService, request: bytes, *, method: str = "GET") -> Exchange:
    """Send a bad request as it is; fail if the answer takes a second or the service answers nothing good afterwards."""
    exchanged = exchange(service.port, request, method=method)
    assert exchanged.seconds < _LONGEST_SECONDS
    assert service.client.get("/readyz").status_code == 200
    return exchanged


def ask_for_token(service: RunningService, body: bytes, headers: list[tuple[str | bytes, str | bytes]]) -> Exchange:
    """Send a bad token request."""
    return ask(service, request_bytes("POST", TOKEN_PATH, headers, body), method="POST")


def ask_endpoint(service: RunningService, *headers: tuple[str | bytes, str | bytes], method: str = "GET") -> Exchange:
    """Send a request with these headers to the protected endpoint."""
    return ask(service, request_bytes(method, ENDPOINT_PATH, list(headers)), method=method)


def token_body(application: ExampleApplication, **changes: object) -> bytes:
    """Return the body of the application's token request, with members changed or added; ``...`` leaves one out."""
    return json.dumps(application.credentials(**changes)).encode()
