"""What a client of the API is told: one exception for each thing that it does something different about."""

from sensos_auth.model.errors import SensosAuthError


class CredentialsRefused(SensosAuthError):
    """The token service does not accept the credentials (401). Repeating does not help; the text says where to look."""


class TokenServiceUnavailable(SensosAuthError):
    """No token could be had in time, and there is none that still serves; trying again later can succeed.

    ``last`` tells in fixed words what happened at the last attempt, ``since`` for how many seconds it has been failing.
    """

    def __init__(self, message: str, *, last: str = "", since: float = 0.0) -> None:
        super().__init__(message)
        self.last = last
        self.since = since


class ApiError(SensosAuthError):
    """The API answered with an error. ``status`` is the HTTP status; ``error`` and ``message`` are the API's own words.

    ``request_id`` is what to name when asking for help, if the answer had one.
    """

    def __init__(self, status: int, error: str, message: str, request_id: str | None = None) -> None:
        about = f" (request {request_id})" if request_id else ""
        super().__init__(f"{status} {error}: {message}{about}" if message else f"{status} {error}{about}")
        self.status = status
        self.error = error
        self.message = message
        self.request_id = request_id

    def __reduce__(self) -> tuple[type["ApiError"], tuple[int, str, str, str | None]]:
        return ApiError, (self.status, self.error, self.message, self.request_id)


class ApiUnavailable(SensosAuthError):
    """The API could not be reached, or its answer broke off. The text says what happened, never what was sent."""
