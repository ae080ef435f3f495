"""How it stands with the feed: as of when it is confirmed, since when it fails, and what of that is logged.

Times are seconds of a clock that never goes back and goes on while the machine sleeps. A page confirms the feed as of
the moment before it was asked for: what was revoked by then is known. A page that shows an older time than that, by
more than clocks may differ, was held up or replayed on the way, and confirms the feed as of so much earlier.
"""

import logging
from dataclasses import dataclass

CLOCKS_MAY_DIFFER = 30.0

_logger = logging.getLogger("sensos_auth.verifying")


@dataclass(frozen=True, slots=True)
class RevocationsHealth:
    """How it stands with the revocations of a verifier. Times are in seconds; nothing here is secret.

    ``version`` is the registry version up to which all revocations are known, ``entries`` how many are held.
    ``confirmed_ago`` tells how old that knowledge is, None before it was first complete, and ``stale`` whether that is
    more than ``max_staleness``. ``failing_for`` counts from the first failed poll since the last good one, and
    ``last_error`` says in a few words how the last one failed; both are None while all is well. ``counted_as`` is the
    name under which the issuer counts this verifier; None if it polls without a token of its own, and
    ``not_counted_because`` says why, where it has credentials.
    """

    version: int
    entries: int
    confirmed_ago: float | None
    stale: bool
    failing_for: float | None
    last_error: str | None
    counted_as: str | None
    not_counted_because: str | None


class FeedStanding:
    """Changed by the thread that follows the feed, read by all."""

    def __init__(self, feed: str, *, max_staleness: float, now: float) -> None:
        self._feed = feed
        self._began_at = now
        self._max_staleness = max_staleness
        self._was_stale = False
        self._failures: list[str] = []
        self.confirmed_at = float("-inf")
        self.failing_since: float | None = None
        self.last_error: str | None = None

    def stale(self, now: float) -> bool:
        """Tell whether the feed has not been confirmed for ``max_staleness``."""
        return now - self.confirmed_at > self._max_staleness

    def confirm(self, asked_at: float, age: float, now: float) -> None:
        """Take note of a last page, which was asked for at ``asked_at``, and whose own time is ``age`` seconds ago."""
        self.confirmed_at = max(self.confirmed_at, asked_at - (age if age > CLOCKS_MAY_DIFFER else 0.0))
        if self._was_stale and not self.stale(now):
            self._was_stale = False
            _logger.info("revocations are up to date again, by %s", self._feed)

    def succeed(self) -> None:
        """Take note of a page that fits."""
        if self.failing_since is not None:
            _logger.info("%s answers again", self._feed)
        self.failing_since = self.last_error = None
        self._failures.clear()

    def fail(self, now: float, error: str) -> None:
        """Take note of a poll that failed with ``error``, and log what has not been logged since the last good one."""
        if self.failing_since is None:
            self.failing_since = now
        self.last_error = error
        if error not in self._failures:
            self._failures.append(error)
            _logger.warning("could not follow the revocations at %s: %s", self._feed, error)

    def report_staleness(self, now: float, when_stale: str) -> None:
        """Log once that revocations have become stale, and what happens then: ``accept`` or ``refuse``."""
        due = now - max(self.confirmed_at, self._began_at) > self._max_staleness
        if due and not self._was_stale:
            self._was_stale = True
            _logger.warning(
                "revocations have not been confirmed for more than %g s, by %s: %s",
                self._max_staleness,
                self._feed,
                "all tokens are refused" if when_stale == "refuse" else "tokens are accepted all the same",
            )
