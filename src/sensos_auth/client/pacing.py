"""How often the token service is asked: what its failures and an API that refuses every token allow.

Times are seconds of the source's clock. Not locked: the token source does that.
"""

from sensos_auth.client.backoff import backoff, retry_after_seconds
from sensos_auth.client.surroundings import Surroundings
from sensos_auth.client.token_answer import Failed
from sensos_auth.client.token_attempts import REFUSAL_HOLDS

_LONGEST_BACKGROUND_PAUSE = 60.0
_FORCED_AT_ONCE = 5  # renewals because the API refused a token: so many at once,
_FORCED_EVERY = 30.0  # and one more in so many seconds
_TOLD_AGAIN = 1.0  # seconds
_NEVER = float("-inf")


class Pace:
    """What happened lately, and what may be done therefore.

    ``retry_at``: no renewal that nobody waits for begins before. ``not_before``: none at all, as ``Retry-After`` asked.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self.retry_at = self.not_before = _NEVER
        self._surroundings = surroundings
        self._failures = 0
        self._failing_since = 0.0
        self._told: Failed | None = None
        self._told_until = _NEVER
        self._forced = float(_FORCED_AT_ONCE)
        self._forced_counted_at = surroundings.clock()

    @property
    def is_failing(self) -> bool:
        """Tell whether the last attempt brought no token."""
        return self._failures > 0

    def failing_for(self, now: float) -> float:
        """Return for how many seconds every attempt has failed."""
        return now - self._failing_since if self.is_failing else 0.0

    def succeeded(self) -> None:
        """Note an attempt that brought a token."""
        self._failures = 0
        self.retry_at = self.not_before = self._told_until = _NEVER

    def failed(self, failed: Failed, now: float) -> None:
        """Note one that did not."""
        if not self.is_failing:
            self._failing_since = now
        self._failures += 1
        random = self._surroundings.random
        asked = retry_after_seconds(failed.retry_after, self._surroundings.wall_now())
        if asked > 0:
            self.not_before = now + asked * (1 + 0.1 * random())  # not sooner, and not everybody at once
        pause = REFUSAL_HOLDS if failed.is_final else backoff(self._failures, _LONGEST_BACKGROUND_PAUSE, random())
        self.retry_at = max(now + pause, self.not_before)
        self._told, self._told_until = failed, now + _TOLD_AGAIN

    def told_again(self, now: float, patience: float) -> Failed | None:
        """Return what a caller with so much patience is told without an attempt: the last failure, if it stands.

        For a second, so that not each of a thousand callers costs a thread, a look into the vault and a log line.
        """
        is_too_early = self.not_before > now + patience
        stands = self._told is not None and (self._told.is_final or is_too_early) and now < self._told_until
        return self._told if stands else None

    def may_force(self, now: float) -> bool:
        """Tell whether a token may be renewed because the API refused it, and count it.

        An API that refuses every token must not double everybody's requests.
        """
        self._forced = min(self._forced + (now - self._forced_counted_at) / _FORCED_EVERY, _FORCED_AT_ONCE)
        self._forced_counted_at = now
        if self._forced < 1:
            return False
        self._forced -= 1
        return True
