"""What is promised of many nodes (docs/many-nodes.md), and whether it was kept."""

from dataclasses import dataclass

from benchmarks.nodes.disabling import Disabled
from benchmarks.nodes.outage import HELD, NOT_HELD, READY, UNTOUCHED
from benchmarks.nodes.seeing import Seen

# Seconds. What is written there has no tolerance; what is measured here shares two cores with all that measures it.
_TOLERANCE = 0.25
_MOST_FROM_MEMORY = 0.25
_MOST_WAIT = 1.0
_SILENCE = 0.5
_BACK_WITHIN = 1.0


@dataclass(frozen=True)
class Promise:
    """A figure, and the most that was promised."""

    title: str
    measured: float
    most: float

    @property
    def is_met(self) -> bool:
        """Tell whether it was kept."""
        return self.measured <= self.most

    def row(self) -> list[str]:
        """Return a row of the table."""
        return [self.title, f"{self.measured:.3g}", f"at most {self.most:g}", "met" if self.is_met else "MISSED"]


def of_disabling(measured: dict[str, list[Disabled]]) -> list[Promise]:
    """Return the promise of what takes something away."""
    return [
        Promise(f"{kind}: tokens of requests begun after the return", sum(each.too_late for each in disabled), 0)
        for kind, disabled in measured.items()
    ]


def of_outage(name: str, all_seen: list[Seen]) -> list[Promise]:
    """Return the promises for the time without the database."""
    of = {seen.who: seen for seen in all_seen}
    strange = sum(
        sum(seen.during[what] for what in seen.during if what not in {seen.good, "503", "no"}) for seen in all_seen
    )
    tokens = [of[HELD], of[NOT_HELD]]
    return [
        Promise(f"{name}: answers neither good nor 503 with Retry-After", strange, 0),
        Promise(f"{name}: those who noticed, of gateways, JWKS, library and /healthz", _touched(of), 0),
        Promise(
            f"{name}: last token after the database went, s", of[HELD].last_good or 0, _MOST_FROM_MEMORY + _TOLERANCE
        ),
        Promise(
            f"{name}: longest wait for a token's answer, s",
            max(seen.slowest for seen in tokens),
            _MOST_WAIT + _TOLERANCE,
        ),
        Promise(f"{name}: first 503 of /readyz, s", of[READY].first_bad or 0, _SILENCE + _TOLERANCE),
        Promise(
            f"{name}: tokens again at the last node, s", max(seen.first_good or 0 for seen in tokens), _BACK_WITHIN
        ),
    ]


def _touched(of: dict[str, Seen]) -> int:
    return sum(not of[who].is_untouched for who in UNTOUCHED)
