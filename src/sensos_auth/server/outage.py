"""What a thread says when something that it does again and again fails: a line at the beginning, and one at the end."""

import structlog

from sensos_auth.model.errors import SensosAuthError
from sensos_auth.server.log_lines import described


class Outage:
    """Whether something fails now. ``failure`` and ``recovery`` are the log lines.

    ``defect`` is that of an exception which nobody expected, where it has a line of its own.
    """

    def __init__(self, failure: str, recovery: str, *, defect: str | None = None) -> None:
        self._failure = failure
        self._recovery = recovery
        self._defect = defect or failure
        self._told: set[type[Exception]] = set()

    def tell(self, error: Exception) -> None:
        """Take it that it has failed. While it lasts, each kind of error is told once."""
        if type(error) in self._told:
            return
        self._told.add(type(error))
        log = structlog.get_logger()
        if isinstance(error, SensosAuthError):
            log.warning(self._failure, reason=str(error))
        else:
            log.error(self._defect, **described(error))

    def is_over(self) -> None:
        """Take it that it has worked."""
        if self._told:
            self._told.clear()
            structlog.get_logger().info(self._recovery)
