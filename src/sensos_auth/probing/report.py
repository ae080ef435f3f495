"""What came of all probes."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from sensos_auth.probing.endpoint import Endpoint
from sensos_auth.probing.exchange import Answer, Silence
from sensos_auth.probing.faults import Fault, Severity
from sensos_auth.probing.probe import Group, NotRun
from sensos_auth.probing.scrubbing import scrubbed


@dataclass(frozen=True, slots=True)
class Observation:
    """A probe that showed a fault. ``outcome`` and ``excerpt`` are safe to print."""

    fault: Fault
    group: Group
    name: str
    outcome: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Report:
    """``control`` is None when the good token was accepted before and after, else what happened.

    ``tried`` names every probe that was sent and judged; ``observations`` are those that found something.
    """

    endpoint: Endpoint
    control: str | None
    tried: tuple[tuple[Group, str], ...]
    observations: tuple[Observation, ...]
    not_run: tuple[NotRun, ...]
    refused_after: float | None = None  # seconds from a token's revocation to its refusal

    def findings(self) -> list[tuple[Fault, list[Observation]]]:
        """Return each fault with what showed it, the worst first."""
        order = list(Severity)
        ordered = sorted(self.observations, key=lambda each: (order.index(each.fault.severity), each.fault.title))
        return [(fault, list(group)) for fault, group in groupby(ordered, key=lambda each: each.fault)]

    def count(self, severity: Severity) -> int:
        """Return how many findings are of this severity."""
        return sum(fault.severity is severity for fault, _ in self.findings())

    def fails(self, least: Severity) -> bool:
        """Tell whether the control failed, or a finding is of this severity or a worse one."""
        bad = list(Severity)[: list(Severity).index(least) + 1]
        return self.control is not None or any(self.count(severity) for severity in bad)


def outcome_of(answer: Answer | Silence) -> str:
    """Return what came back, in a few words."""
    return str(answer.status) if isinstance(answer, Answer) else answer.value


def excerpt_of(answer: Answer | Silence, shown: Iterable[str]) -> str:
    """Return the beginning of what came back, with neither a token nor a secret in it."""
    if isinstance(answer, Silence):
        return ""
    challenge = ", ".join(answer.values("www-authenticate"))
    body = answer.body.decode("utf-8", "replace")
    text = f"WWW-Authenticate: {challenge} | {body}" if challenge else body
    for token in shown:
        if token:
            text = text.replace(token, "[not shown]")
    return scrubbed(text)
