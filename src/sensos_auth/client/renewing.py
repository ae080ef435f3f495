"""One token for a whole process, and one renewal of it in flight however many threads, event loops and tasks ask.

A renewal runs in a thread of its own, so nobody's cancellation ends it for the others; whoever needs its outcome waits
for a future. Rules, beside those of :mod:`~sensos_auth.client.held_token`:

* a renewal that nobody waits for is one attempt. When it fails, the next one is due after a while, and callers get the
  token that still serves: an outage costs them nothing;
* a renewal that callers wait for, because no token serves, repeats its attempts until ``patience`` is over;
* a caller with a token that still serves, in its last tenth, waits a moment at most, and not at all once an attempt
  has failed;
* a refusal (401) is final: see :mod:`~sensos_auth.client.token_attempts`;
* a renewal that is stuck, in a vault that hangs, is left behind, and another one begins.
"""

import logging
import os
import weakref
from itertools import count
from threading import Lock

from sensos_auth.client.backoff import backoff
from sensos_auth.client.credentials import Credentials
from sensos_auth.client.errors import CredentialsRefused, TokenServiceUnavailable
from sensos_auth.client.flight import Flight, Outcome, Waiting, wait, wait_async
from sensos_auth.client.held_token import NO_TOKEN, HeldToken, TokenState, hold
from sensos_auth.client.pacing import Pace
from sensos_auth.client.surroundings import Surroundings
from sensos_auth.client.token_answer import Failed
from sensos_auth.client.token_attempts import Received, TokenAttempts
from sensos_auth.model.errors import ConfigurationError, SensosAuthError

PATIENCE = 30.0
_ATTEMPT = 10.0  # seconds for one request
_SHORTEST_ATTEMPT = 1.0  # none begins with less left: it would only hide what the one before it was told
_GRACE = 1.0  # seconds that a caller waits longer than a renewal may take, to hear what became of it
_MOMENT = 2.0  # seconds that a caller waits while the old token still serves
_LONGEST_PAUSE = 10.0  # between attempts that somebody waits for
_STUCK = 10.0  # seconds after its time that a renewal is given up; doubled each time, because its thread is lost
_LONGEST_STUCK = 3600.0

_logger = logging.getLogger("sensos_auth.client")


class SharedToken:
    """The token that all callers share. ``held`` may be read by any thread at any time."""

    def __init__(
        self, credentials: Credentials, base_url: str, surroundings: Surroundings, patience: float = PATIENCE
    ) -> None:
        self.held = NO_TOKEN
        self.clock = surroundings.clock
        self._attempts = TokenAttempts(credentials, base_url, surroundings)
        self._base_url = base_url
        self._surroundings = surroundings
        self._patience = patience
        self._shortest = min(_SHORTEST_ATTEMPT, patience / 4)
        self._lock = Lock()
        self._flight: Flight | None = None
        self._stuck_after = _STUCK
        self._pace = Pace(surroundings)
        _instances.add(self)

    def get(self) -> HeldToken:
        """Return a token that serves; waits when there is none. Raises what :meth:`_conclude` does."""
        while isinstance(step := self._look(), Waiting):
            if (held := self._conclude(step, wait(step))) is not None:
                return held
        return step

    async def get_async(self) -> HeldToken:
        """Do what :meth:`get` does without blocking the event loop."""
        while isinstance(step := self._look(), Waiting):
            if (held := self._conclude(step, await wait_async(step))) is not None:
                return held
        return step

    def replace(self, refused: HeldToken) -> HeldToken | None:
        """Return the token that takes the place of one that the API refused, or None when there is none to be had."""
        step = self._force(refused)
        outcome = wait(step) if isinstance(step, Waiting) else step
        return outcome if isinstance(outcome, HeldToken) else None

    async def replace_async(self, refused: HeldToken) -> HeldToken | None:
        """Do what :meth:`replace` does without blocking the event loop."""
        step = self._force(refused)
        outcome = await wait_async(step) if isinstance(step, Waiting) else step
        return outcome if isinstance(outcome, HeldToken) else None

    def _look(self) -> HeldToken | Waiting:
        now = self.clock()
        with self._lock:
            held = self.held  # read again: somebody may have renewed it meanwhile
            state = held.state(now)
            if state is TokenState.FRESH:
                return held
            meanwhile = held if held.is_usable(now) else None
            if self._flight_at(now) is None:
                if meanwhile is not None and now < self._pace.retry_at:
                    return meanwhile
                if meanwhile is None and (failed := self._pace.told_again(now, self._patience)):
                    raise self._error(failed)
            is_failing = self._pace.is_failing
            flight, is_new = self._join(is_awaited=meanwhile is None, in_time=state is TokenState.STALE, now=now)
        if is_new:
            self._launch(flight)
        if meanwhile is None:
            return Waiting(flight, self._patience + _GRACE, None)
        seconds = min(flight.began_at + _MOMENT, held.expires_at) - now
        if state is TokenState.STALE or is_failing or seconds <= 0:
            return meanwhile
        return Waiting(flight, seconds, meanwhile)

    def _force(self, refused: HeldToken) -> HeldToken | Waiting | None:
        now = self.clock()
        with self._lock:
            if self.held is not refused and self.held.is_usable(now):
                return self.held
            if self._flight_at(now) is None and not self._pace.may_force(now):
                return None
            flight, is_new = self._join(is_awaited=False, in_time=False, now=now)
        if is_new:
            self._launch(flight)
        return Waiting(flight, self._patience + _GRACE, None)

    def _flight_at(self, now: float) -> Flight | None:
        flight = self._flight
        if flight is not None and now > flight.give_up_at + self._stuck_after:
            # Its thread hangs, or never began to run. If it brings a token nevertheless, that is taken.
            self._flight = flight = None
            self._stuck_after = min(2 * self._stuck_after, _LONGEST_STUCK)
        return flight

    def _join(self, *, is_awaited: bool, in_time: bool, now: float) -> tuple[Flight, bool]:
        flight = self._flight_at(now)
        give_up_at = now + self._patience
        if flight is not None:
            if is_awaited and not flight.is_awaited:
                flight.is_awaited, flight.give_up_at = True, give_up_at
            return flight, False
        self._flight = flight = Flight(is_awaited=is_awaited, in_time=in_time, began_at=now, give_up_at=give_up_at)
        return flight, True

    def _conclude(self, waiting: Waiting, outcome: Outcome | None) -> HeldToken | None:
        """Return the token that the caller gets, or None to look again.

        Raises CredentialsRefused, ConfigurationError or TokenServiceUnavailable.
        """
        if isinstance(outcome, HeldToken):
            return outcome
        if waiting.meanwhile is not None:
            # It may have ended while the caller waited.
            return waiting.meanwhile if waiting.meanwhile.is_usable(self.clock()) else None
        raise self._error(outcome or Failed(f"no answer within {self._patience:g} s"))

    def _error(self, failed: Failed) -> SensosAuthError:
        if failed.is_refusal:
            return CredentialsRefused(f"the token service refused the credentials (401): {failed.what}")
        if failed.is_setting:
            return ConfigurationError(failed.what)
        now = self.clock()
        since = self._pace.failing_for(now)
        lasting = f" for {since:.0f} s" if since >= 1 else ""
        pause = self._pace.not_before - now
        asked = f"; it asked to wait {pause:.0f} s more" if pause > 0 else ""
        return TokenServiceUnavailable(
            f"no access token from {self._base_url}{lasting}; at last: {failed.what}{asked}",
            last=failed.what,
            since=since,
        )

    def _launch(self, flight: Flight) -> None:
        try:
            self._surroundings.start(lambda: self._fly(flight))
        except RuntimeError:  # no more threads, or the interpreter is ending
            self._land(flight, Failed("no thread could be started"))

    def _fly(self, flight: Flight) -> None:
        try:
            self._repeat_attempts(flight)
        except BaseException as error:
            if not flight.outcome.done():
                self._land(flight, Failed(f"a defect: {type(error).__name__}"))
            raise

    def _repeat_attempts(self, flight: Flight) -> None:
        for attempts in count(1):
            outcome = self._attempt(flight)
            pause = backoff(attempts, _LONGEST_PAUSE, self._surroundings.random())
            if self._land(flight, outcome, next_in=pause):
                return
            self._surroundings.sleep(max(pause, self._pace.not_before - self.clock()))

    def _land(self, flight: Flight, outcome: Outcome, *, next_in: float | None = None) -> bool:
        """End the flight, and tell so; but not if somebody waits for the next attempt, in ``next_in`` seconds or later.

        Returns whether it has ended.
        """
        now = self.clock()
        with self._lock:
            if isinstance(outcome, HeldToken):
                if outcome.issued_at >= self.held.issued_at:  # else the flight was left behind, and others were faster
                    self.held = outcome
                self._pace.succeeded()
                self._stuck_after = _STUCK
            else:
                self._pace.failed(outcome, now)
                # Decided behind the lock: whoever joins later finds a flight that goes on, or none.
                if next_in is not None and flight.is_awaited and not outcome.is_final:
                    next_at = max(now + next_in, self._pace.not_before)
                    if next_at < flight.give_up_at - self._shortest:
                        return False
            if self._flight is flight:
                self._flight = None
        flight.outcome.set_result(outcome)  # first: logging is the application's, and may do anything
        if isinstance(outcome, Failed):
            what = "the credentials were refused" if outcome.is_refusal else outcome.what
            _logger.warning("no access token from %s: %s", self._base_url, what)
        return True

    def _attempt(self, flight: Flight) -> Outcome:
        now = self.clock()
        if now < self._pace.not_before:
            return Failed("it is too early to ask again")
        match self._attempts.attempt(min(_ATTEMPT, max(flight.give_up_at - now, self._shortest))):
            case Failed() as failed:
                return failed
            case Received(issued, asked_at, answered_at):
                return hold(
                    issued.token,
                    lifetime=issued.lifetime,
                    asked_at=asked_at,
                    answered_at=answered_at,
                    in_time=flight.in_time and not flight.is_awaited,
                    random=self._surroundings.random(),
                )

    def _after_fork(self) -> None:
        self._lock = Lock()
        self._flight = None  # its thread is in the other process
        if self.held is not NO_TOKEN:
            self.held = self.held.spread_again(self.clock(), self._surroundings.random())


_instances: "weakref.WeakSet[SharedToken]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for instance in _instances:
        instance._after_fork()  # noqa: SLF001 - this module's own


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork_in_child)
