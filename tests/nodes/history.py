"""What was done and what was seen, as everybody outside the service knows it: the history that the checker judges.

All times are seconds of one clock of this machine, which goes on while it sleeps: whichever process looked at it.
"""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


def now() -> float:
    """Return the time of the history, in seconds."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Outcome(StrEnum):
    """What is known of a call once it has returned, or its caller has given up."""

    DONE = "done"
    NOT_DONE = "not done"
    UNKNOWN = "unknown"


class Effect(StrEnum):
    """What a call does to its subject if it takes effect."""

    GIVES = "gives"
    TAKES = "takes"
    VOIDS = "voids"
    TAKES_AND_VOIDS = "takes and voids"
    REPLACES_KEY = "replaces the active key"

    @property
    def takes(self) -> bool:
        """Tell whether no token may be issued for the subject from then on."""
        return self in {Effect.TAKES, Effect.TAKES_AND_VOIDS}

    @property
    def voids(self) -> bool:
        """Tell whether the tokens that exist are to be refused from then on."""
        return self in {Effect.VOIDS, Effect.TAKES_AND_VOIDS}


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of an administrator. ``subject`` is an ID: of a tenant, an application, a secret, a token, a key.

    ``action`` and ``actor`` are what the audit trail must say of it. ``end`` is when the call returned or was given up.
    ``takes_effect_by`` is the end of the time in which it can take effect: ``end``, if nothing else is known, and
    never for one whose outcome is unknown. ``made`` is what it was told to have made.
    """

    number: int
    action: str
    effect: Effect
    subject: str
    begin: float
    end: float
    outcome: Outcome
    actor: str = ""
    via: str = ""
    made: str = ""
    takes_effect_by: float | None = None

    @property
    def latest(self) -> float:
        """Return until when it can have taken effect."""
        if self.takes_effect_by is not None:
            return self.takes_effect_by
        return self.end if self.outcome is Outcome.DONE else float("inf")

    @property
    def may_have_happened(self) -> bool:
        """Tell whether there is a history in which it took effect."""
        return self.outcome is not Outcome.NOT_DONE


class Asked(NamedTuple):
    """A token request. ``status`` is 0 where no answer came; the last three are those of the token, where one came."""

    begin: float
    end: float
    node: str
    tenant_id: str
    application_id: str
    secret_id: str
    status: int
    token_id: str = ""
    kid: str = ""
    version: int = 0

    @property
    def is_issued(self) -> bool:
        """Tell whether a token was issued."""
        return bool(self.token_id)


class Accepted(NamedTuple):
    """A verifier accepted a token at ``at``.

    ``confirmed_before`` and ``confirmed_after`` are as of when it held its feed to be confirmed, before and after.
    """

    verifier: str
    token_id: str
    at: float
    confirmed_before: float
    confirmed_after: float


class Absence(NamedTuple):
    """From ``begin`` to ``end`` a verifier may be out of touch: its node is away, or cannot be reached."""

    verifier: str
    begin: float
    end: float


class Policy(NamedTuple):
    """How a verifier is set: ``refuses`` when its feed was not confirmed for ``max_staleness`` seconds, or goes on."""

    refuses: bool
    max_staleness: float


class Stall(NamedTuple):
    """By ``at``, somebody had waited for a processor for ``seconds`` altogether, counted from whenever."""

    at: float
    seconds: float


class FaultRecord(NamedTuple):
    """Something was broken from ``begin`` to ``end``."""

    kind: str
    target: str
    begin: float
    end: float


@dataclass
class History:
    """All of it. Lists are only ever appended to, from any thread."""

    operations: list[Operation] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    absences: list[Absence] = field(default_factory=list)
    faults: list[FaultRecord] = field(default_factory=list)
    policies: dict[str, Policy] = field(default_factory=dict)
    stalls: list[Stall] = field(default_factory=list)

    def stalled(self, begin: float, end: float) -> float:
        """Return for how many seconds between the two somebody waited for a processor, as far as it is known."""
        times = [stall.at for stall in self.stalls]
        first, last = bisect_right(times, begin) - 1, bisect_left(times, end)
        if first < 0 or last >= len(times):
            return 0.0
        return min(end - begin, self.stalls[last].seconds - self.stalls[first].seconds)

    def issued(self) -> Iterator[Asked]:
        """Yield the requests that got a token."""
        return (asked for asked in self.asked if asked.is_issued)
