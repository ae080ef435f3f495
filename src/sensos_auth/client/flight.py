"""A renewal in flight, and how callers wait for it: threads and tasks of any event loop for the same one."""

import asyncio
from concurrent.futures import Future
from dataclasses import dataclass, field

from sensos_auth.client.held_token import HeldToken
from sensos_auth.client.token_answer import Failed

Outcome = HeldToken | Failed


@dataclass(eq=False, slots=True)
class Flight:
    """A renewal in flight. ``is_awaited``: somebody has no token that serves, and is told at ``give_up_at``.

    ``in_time``: it began before anybody had to wait. Times are seconds of the source's clock.
    """

    is_awaited: bool
    in_time: bool
    began_at: float
    give_up_at: float
    outcome: "Future[Outcome]" = field(default_factory=Future)

    def __post_init__(self) -> None:
        self.outcome.set_running_or_notify_cancel()  # from now on nobody who waits can cancel it


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a caller waits for, how many seconds at most, and the token that serves if it does not come."""

    flight: Flight
    seconds: float
    meanwhile: HeldToken | None


def wait(waiting: Waiting) -> Outcome | None:
    """Return what became of the flight, or None when the time is over."""
    try:
        return waiting.flight.outcome.result(waiting.seconds)
    except TimeoutError:
        return None


async def wait_async(waiting: Waiting) -> Outcome | None:
    """Do what :func:`wait` does without blocking the event loop."""
    outcome = asyncio.wrap_future(waiting.flight.outcome)
    try:
        await asyncio.wait({outcome}, timeout=waiting.seconds)
        return outcome.result() if outcome.done() else None
    finally:
        outcome.cancel()  # this caller's own; the flight goes on
