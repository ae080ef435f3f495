"""Clock, chance, network and threads as a token source uses them: arguments, so that tests can try a year."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import SystemRandom
from threading import Thread

from sensos_auth.client.sending import TokenRequest, send
from sensos_auth.client.token_answer import Answer

# On macOS CLOCK_MONOTONIC counts sleep; on Linux only CLOCK_BOOTTIME does.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", 0))
# Nobody sets it, and it goes on while the machine sleeps. No function of ours: it is called for every request.
seconds_since_boot: Callable[[], float] = (
    partial(time.clock_gettime, _CLOCK) if hasattr(time, "clock_gettime") else time.monotonic  # the latter on Windows
)


def _wall_now() -> datetime:
    return datetime.now(UTC)


def _start_thread(work: Callable[[], None]) -> None:
    Thread(target=work, name="sensos-auth-token", daemon=True).start()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a token source asks of the world around it.

    ``clock`` and ``sleep`` are in seconds; ``random`` returns 0 to 1, from the operating system, because forked
    processes must not share it; ``start`` runs a function beside its caller; ``wall_now`` only reads the date of a
    ``Retry-After``.
    """

    clock: Callable[[], float] = seconds_since_boot
    random: Callable[[], float] = SystemRandom().random
    sleep: Callable[[float], None] = time.sleep
    wall_now: Callable[[], datetime] = _wall_now
    start: Callable[[Callable[[], None]], None] = _start_thread
    send: Callable[[TokenRequest, float], Answer] = send
