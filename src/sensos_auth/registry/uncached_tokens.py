"""Which applications fetch a token for each request, where they could keep one: integrators' costliest mistake.

The rule: a process that keeps its token needs one when it starts, and another for each lifetime that passes. An
application is named when it got more tokens in the window than 20 such processes need. Who runs more processes than
that, or starts them anew all the time, is named too, unless told how many there are.
"""

from typing import NamedTuple

from sensos_auth.registry.transactions import View

PROCESSES = 20
WINDOW_MINUTES = 60


class UncachedTokens(NamedTuple):
    """An application that got ``tokens`` in the last ``minutes``, each of which lives ``lifetime`` seconds."""

    application_id: str
    tenant_id: str
    tokens: int
    lifetime: int
    minutes: int

    @property
    def needed(self) -> int:
        """Return how many tokens one process needs that keeps its own."""
        return 1 + self.minutes * 60 // self.lifetime

    @property
    def says(self) -> str:
        """Return the finding in a sentence, with what to do."""
        window = "hour" if self.minutes == WINDOW_MINUTES else _span(self.minutes * 60)
        return f"{_grouped(self.tokens)} tokens in the last {window}; one lasts {_span(self.lifetime)}: cache it"


def applications_that_cache_no_token(
    view: View,
    *,
    lifetime: int,
    tenant_id: str | None = None,
    minutes: int = WINDOW_MINUTES,
    processes: int = PROCESSES,
    limit: int = 100,
) -> list[UncachedTokens]:
    """Return up to ``limit`` of them, those that got the most tokens in the last ``minutes`` first.

    ``lifetime`` is the deployment's, in seconds. With a tenant, only the tenant's.
    """
    rows = view.statements.busiest_applications(
        view.connection,
        tenant_id=tenant_id,
        from_minute=view.now // 60 - minutes,
        seconds=minutes * 60,
        processes=processes,
        lifetime=lifetime,
        limit=limit,
    )
    return [UncachedTokens._make((*row, minutes)) for row in rows]


def _grouped(number: int) -> str:
    return f"{number:,}".replace(",", " ")  # ISO 80000-1


def _span(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
