"""One mutant, three verdicts and the contract: do they agree, and if not, is it known why?"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.verifying.differential import oracles
from tests.verifying.differential.explanations import PASSED_OVER, RESTRAINTS
from tests.verifying.differential.faults import Reading, read
from tests.verifying.differential.mutants import Mutant, mutant
from tests.verifying.differential.oracles import Verdict

if TYPE_CHECKING:
    from tests.verifying.differential.oracles import Oracle

_MOST_FINDINGS = 50


@dataclass
class Tally:
    """What was counted: verdicts (ours, PyJWT, joserfc), explanations (library, why), exceptions, and findings."""

    verdicts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    explained: Counter[tuple[str, str]] = field(default_factory=Counter)
    broke: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Return how many mutants were judged."""
        return sum(self.verdicts.values())

    def add(self, other: "Tally") -> None:
        """Add what another process counted."""
        self.verdicts += other.verdicts
        self.explained += other.explained
        self.broke += other.broke
        self.findings = (self.findings + other.findings)[:_MOST_FINDINGS]


class Comparison:
    """The three verifiers, made once."""

    def __init__(self) -> None:
        self._ours = oracles.ours()
        self._others: dict[str, Oracle] = {"PyJWT": oracles.pyjwt(), "joserfc": oracles.joserfc()}

    def judge(self, seed: int, numbers: range) -> Tally:
        """Return what came of the mutants with these numbers."""
        tally = Tally()
        for number in numbers:
            one = mutant(seed, number)
            for finding in self._judge(one, tally):
                tally.findings.append(
                    f"mutant {number} of seed {seed} ({', '.join(one.done) or 'unchanged'}): {finding}"
                )
        return tally

    def _judge(self, one: Mutant, tally: Tally) -> Iterator[str]:
        reading = read(one)
        ours = self._ours(one.token)
        words = [_word(ours)]
        if ours.accepted and reading.faults:
            yield f"we accept it, with {sorted(reading.faults)}"
        if not ours.accepted and not reading.faults:
            yield f"we refuse it ({ours.error}), and nothing is wrong with it"
        for library, oracle in self._others.items():
            verdict = oracle(one.token)
            words.append(_word(verdict))
            if verdict.broke:
                tally.broke[library, verdict.error] += 1
            if verdict.accepted and ours.accepted and dict(verdict.claims or {}) != dict(ours.claims or {}):
                yield f"{library} reads other claims"
            if verdict.accepted is not ours.accepted:
                reasons = list(_reasons(library, verdict, reading))
                tally.explained.update((library, reason) for reason in reasons)
                if not reasons:
                    yield f"{library} {words[-1]}s it ({verdict.error}) unexplained; at fault: {sorted(reading.faults)}"
        tally.verdicts[words[0], words[1], words[2]] += 1


def _reasons(library: str, verdict: Verdict, reading: Reading) -> Iterator[str]:
    if verdict.accepted:
        known = PASSED_OVER[library]
        if reading.faults <= known.keys():
            yield from (f"accepts {fault}: {known[fault]}" for fault in sorted(reading.faults))
    else:
        for restraint in RESTRAINTS[library]:
            if restraint.error == verdict.error and restraint.applies(reading):
                yield f"refuses: {restraint.why}"


def _word(verdict: Verdict) -> str:
    return "accept" if verdict.accepted else "refuse"
