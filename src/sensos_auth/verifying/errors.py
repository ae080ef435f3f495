"""What verification refuses with: one exception for each thing that a caller does something different about."""

from sensos_auth.model.errors import SensosAuthError


class MissingToken(SensosAuthError):
    """The request shows no access token: no ``Authorization`` header, or one of another scheme than ``Bearer``."""


class InvalidToken(SensosAuthError):
    """The access token is not good. The text is the same for every cause, because clients may see it.

    ``reason`` names the failed check in fixed words, for the service's own log: never a part of the token.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("the access token is invalid or expired")
        self.reason = reason

    def __reduce__(self) -> tuple[type["InvalidToken"], tuple[str]]:
        return InvalidToken, (self.reason,)


class InsufficientScope(SensosAuthError):
    """The access token is good, but lacks a scope. ``scope`` is what the request needs, space-separated."""

    def __init__(self, scope: str) -> None:
        super().__init__("the access token lacks a scope that this request needs")
        self.scope = scope

    def __reduce__(self) -> tuple[type["InsufficientScope"], tuple[str]]:
        return InsufficientScope, (self.scope,)


class KeysUnavailable(SensosAuthError):
    """No usable keys, so nothing can be said about any token: neither that it is good nor that it is bad."""


class RevocationsUnavailable(SensosAuthError):
    """What was revoked has not been heard for too long, and this verifier was told to refuse then."""
