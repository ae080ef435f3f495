"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum

from sensos_auth.model.errors import SensosAuthError


class Status(StrEnum):
    """How bad it is: ``wrong`` must be mended before the service is safe to run, ``warning`` should be looked at."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. ``message`` says what is the case and, unless all is well, how to mend it."""

    check: str
    status: Status
    message: str


def ok(check: str, message: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Status.OK, message)


def warning(check: str, message: str) -> Finding:
    """Return that something should be looked at."""
    return Finding(check, Status.WARNING, message)


def wrong(check: str, problem: str | SensosAuthError) -> Finding:
    """Return that something must be mended."""
    return Finding(check, Status.WRONG, str(problem))
