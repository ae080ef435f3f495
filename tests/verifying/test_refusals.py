import pytest

from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.verifying import (
    InsufficientScope,
    InvalidToken,
    KeysUnavailable,
    MissingToken,
    Refusal,
    RevocationsUnavailable,
    refusal_for,
)

UNAUTHORIZED = b'{"error":"Unauthorized","message":"Invalid or expired access token"}'


def _answer(refusal: Refusal) -> tuple[int, bytes, dict[str, str]]:
    headers = dict(refusal.headers)
    assert len(headers) == len(refusal.headers)
    assert headers.pop("content-type") == "application/json"
    assert headers.pop("cache-control") == "no-store"
    assert headers.pop("content-length") == str(len(refusal.body))
    return refusal.status, refusal.body, headers


def test_g01_missing_token_is_challenged_without_an_error() -> None:
    """RFC 6750 section 3.1: no error code where no credentials were sent."""
    assert _answer(refusal_for(MissingToken())) == (401, UNAUTHORIZED, {"www-authenticate": "Bearer"})


@pytest.mark.parametrize("reason", ["expired", "wrong audience"])
def test_invalid_token_is_challenged_as_such_for_every_reason(reason: str) -> None:
    """Each invalid token gets the same answer."""
    expected = (401, UNAUTHORIZED, {"www-authenticate": 'Bearer error="invalid_token"'})
    assert _answer(refusal_for(InvalidToken(reason))) == expected


def test_insufficient_scope_names_the_scope_needed() -> None:
    """RFC 6750 section 3: 403, insufficient_scope and the scope."""
    status, body, headers = _answer(refusal_for(InsufficientScope("a b:c")))
    assert status == 403
    assert body.startswith(b'{"error":"Forbidden","message":"')
    assert headers == {"www-authenticate": 'Bearer error="insufficient_scope", scope="a b:c"'}


@pytest.mark.parametrize(
    "error",
    [
        KeysUnavailable("secret text"),
        RevocationsUnavailable("secret text"),
        RegistryUnavailable("secret text"),
        KeyError("secret text"),
    ],
)
def test_everything_else_is_not_now(error: Exception) -> None:
    """No keys, and any error that verification does not know, is 503 with a time to come back, and no word of it."""
    status, body, headers = _answer(refusal_for(error))
    assert status == 503
    assert body.startswith(b'{"error":"Service Unavailable","message":"')
    assert b"secret" not in body
    assert headers == {"retry-after": "2"}


def test_raw_headers_are_bytes() -> None:
    """ASGI servers get lower-case names and values as bytes."""
    assert (b"www-authenticate", b"Bearer") in refusal_for(MissingToken()).raw_headers()
