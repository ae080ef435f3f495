"""The exceptions of Sensos Auth: one root, and under it what a caller does something different about."""


class SensosAuthError(Exception):
    """Root of every error that Sensos Auth raises on purpose. The text is safe to show: never a secret or a token."""


class InvalidInput(SensosAuthError):
    """What was asked is malformed; the text says what is expected instead."""


class NotFound(SensosAuthError):
    """There is no such tenant, application, secret or signing key."""


class Conflict(SensosAuthError):
    """The request is well formed, but what it names is not in a state that allows it."""


class AuthenticationFailed(SensosAuthError):
    """The credentials are not good. Deliberately without a cause: every cause must look the same."""


class RegistryUnavailable(SensosAuthError):
    """The registry cannot be read or written right now; trying again later can succeed."""


class ConfigurationError(SensosAuthError):
    """The program must not start like this; the text says how to mend it."""
