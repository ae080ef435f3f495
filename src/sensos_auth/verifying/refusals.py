"""What a client is told when it is refused: the contract of every protected endpoint, in one place."""

from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from sensos_auth.verifying.errors import (
    InsufficientScope,
    InvalidToken,
    KeysUnavailable,
    MissingToken,
    RevocationsUnavailable,
)

RETRY_AFTER_SECONDS = 2
REASONS = (MissingToken, InvalidToken, InsufficientScope, KeysUnavailable, RevocationsUnavailable)  # authenticate's


@dataclass(frozen=True, slots=True)
class Refusal:
    """A whole HTTP answer. Header names are lower case, as ASGI wants them."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers as ASGI sends them."""
        return [(name.encode(), value.encode()) for name, value in self.headers]


def refusal_for(error: Exception) -> Refusal:
    """Return the answer to the exception, with the challenge of RFC 6750 section 3.

    An exception that verification does not know gets 503: never a pass, and never a word of it.
    """
    match error:
        case InsufficientScope():
            return _refusal(
                403,
                "The access token lacks a scope that this request needs",
                (
                    "www-authenticate",
                    'Bearer error="insufficient_scope"' + (f', scope="{error.scope}"' if error.scope else ""),
                ),
            )
        case MissingToken():
            return _MISSING
        case InvalidToken():
            return _INVALID
        case _:
            return _UNAVAILABLE


def _refusal(status: int, message: str, header: tuple[str, str]) -> Refusal:
    body = msgspec.json.encode({"error": HTTPStatus(status).phrase, "message": message})
    headers = (
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        header,
    )
    return Refusal(status, headers, body)


_INVALID_OR_EXPIRED = "Invalid or expired access token"
_MISSING = _refusal(401, _INVALID_OR_EXPIRED, ("www-authenticate", "Bearer"))
_INVALID = _refusal(401, _INVALID_OR_EXPIRED, ("www-authenticate", 'Bearer error="invalid_token"'))
_UNAVAILABLE = _refusal(
    503, "Access tokens cannot be verified right now: try again later", ("retry-after", str(RETRY_AFTER_SECONDS))
)
