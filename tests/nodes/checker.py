"""Does a history keep what is promised? Pure: the history goes in, what broke a promise comes out.

1. No token is issued in answer to a request that began after the call that takes it away returned; where a call that
   gives it back can have taken effect meanwhile, in some order of the calls that agrees with what was seen, there is no
   violation.
2. No credentials are refused as wrong that can't have been so at any moment of the request, nor a little before.
3. No verifier accepts a token later than a second after the call that voids it returned, but while it is out of touch
   with its node, and then by its policy; and never one that it should know of, by what it says it has heard.

What the registry and its audit trail say in the end is judged by :mod:`tests.nodes.trail`.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tests.nodes.history import Absence, Accepted, Asked, Effect, History, Operation, Outcome
from tests.nodes.possible_states import PossibleStates, at_the_same_time

# Seconds in which a verifier has to hear of a revocation, and how much of the time in which processes waited for a
# processor is left out of account.
HEARS_WITHIN: Final = 1.0
_LEFT_OUT: Final = 0.5
# Seconds by which a node may be behind with what is given: who gives does not wait for the lease to run out.
GIVES_WITHIN: Final = 0.25
# Seconds by which a verifier may look at its clock later than the one who asks it.
_LOOKS_LATER: Final = 0.5
_SLICE: Final = 14


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that was broken, and the part of the history that shows it."""

    rule: str
    says: str
    at: float
    slice: tuple[Any, ...] = ()


@dataclass
class _Subjects:
    """The calls, by what they do to whom."""

    gives: dict[str, list[Operation]] = field(default_factory=lambda: defaultdict(list))
    takes: dict[str, list[Operation]] = field(default_factory=lambda: defaultdict(list))
    voids: dict[str, list[Operation]] = field(default_factory=lambda: defaultdict(list))
    replacing: list[Operation] = field(default_factory=list)

    def add(self, operation: Operation) -> None:
        if operation.effect is Effect.GIVES:
            self.gives[operation.subject].append(operation)
        if operation.effect.takes:
            self.takes[operation.subject].append(operation)
        if operation.effect.voids:
            self.voids[operation.subject].append(operation)
        if operation.effect is Effect.REPLACES_KEY:
            self.replacing.append(operation)


class Checker:
    """Judges one history. What no call of it has made was there before."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._subjects = _Subjects()
        for operation in history.operations:
            self._subjects.add(operation)
        self._on: dict[str, PossibleStates] = {}
        self._off: dict[str, PossibleStates] = {}

    def violations(self) -> list[Violation]:
        """Return what broke a promise, in the order of time."""
        found = [
            *self._issued_too_late(),
            *self._signed_too_late(),
            *self._wrongly_refused(),
            *self._accepted_too_late(),
        ]
        return sorted(found, key=lambda violation: violation.at)

    def void_since(self) -> dict[str, Operation | None]:
        """Return for each token the call that voided it for certain and returned first, if there is one."""
        return {asked.token_id: self._void_since(asked) for asked in self._history.issued()}

    # 1

    def _issued_too_late(self) -> Iterator[Violation]:
        for asked in self._history.issued():
            subjects = (asked.tenant_id, asked.application_id, asked.secret_id)
            if not at_the_same_time([self._can_be_on(subject) for subject in subjects], asked.begin, asked.end):
                yield Violation(
                    "no token after the taking call returned",
                    f"{asked.node} issued one for {asked.application_id} to a request that began at {asked.begin:.3f}",
                    asked.begin,
                    (asked, *self._nearby(subjects, asked.begin)),
                )

    def _can_be_on(self, subject: str) -> PossibleStates:
        if subject not in self._on:
            gives, takes = self._subjects.gives[subject], self._subjects.takes[subject]
            self._on[subject] = PossibleStates(gives, takes, is_initial=not _is_made(gives))
        return self._on[subject]

    def _signed_too_late(self) -> Iterator[Violation]:
        installed_by = self._keys_installed_by()
        revoked = {
            kid: min((call.end for call in calls if call.outcome is Outcome.DONE), default=float("inf"))
            for kid, calls in self._subjects.takes.items()
        }
        replaced = {
            kid: min(
                (
                    call.end
                    for call in self._subjects.replacing
                    if call.outcome is Outcome.DONE and call.begin > installed and call.made != kid
                ),
                default=float("inf"),
            )
            for kid, installed in installed_by.items()
        }
        for asked in self._history.issued():
            if asked.begin > min(revoked.get(asked.kid, float("inf")), replaced.get(asked.kid, float("inf"))):
                calls = [*self._subjects.replacing, *self._subjects.takes[asked.kid]]
                yield Violation(
                    "no token after the taking call returned",
                    f"{asked.node} signed with the key {asked.kid} for a request that began at {asked.begin:.3f}",
                    asked.begin,
                    (asked, *sorted(calls, key=lambda call: call.begin)[-_SLICE:]),
                )

    def _keys_installed_by(self) -> dict[str, float]:
        """Return the time by which each key had been made the active one: at the latest when it was seen to sign."""
        installed: dict[str, float] = {}
        for asked in self._history.issued():
            installed[asked.kid] = min(asked.end, installed.get(asked.kid, float("inf")))
        for call in self._subjects.replacing:
            if call.outcome is Outcome.DONE and call.made:
                installed[call.made] = min(call.end, installed.get(call.made, float("inf")))
        return installed

    # 2

    def _wrongly_refused(self) -> Iterator[Violation]:
        for asked in self._history.asked:
            if asked.status != 401:
                continue
            subjects = (asked.tenant_id, asked.application_id, asked.secret_id)
            if not any(self._can_be_off(subject).within(asked.begin, asked.end) for subject in subjects):
                yield Violation(
                    "no good credentials refused",
                    f"{asked.node} refused good credentials of {asked.application_id} at {asked.begin:.3f}",
                    asked.begin,
                    (asked, *self._nearby(subjects, asked.begin)),
                )

    def _can_be_off(self, subject: str) -> PossibleStates:
        if subject not in self._off:
            gives, takes = self._subjects.gives[subject], self._subjects.takes[subject]
            self._off[subject] = PossibleStates(takes, gives, is_initial=_is_made(gives), patience=GIVES_WITHIN)
        return self._off[subject]

    # 3

    def _accepted_too_late(self) -> Iterator[Violation]:
        tokens = {asked.token_id: asked for asked in self._history.issued()}
        void_since = self.void_since()
        absences = {name: _united_absences(self._history.absences, name) for name in self._history.policies}
        told: set[tuple[str, str]] = set()
        for accepted in self._history.accepted:
            voiding = void_since.get(accepted.token_id)
            says = self._late(accepted, voiding, absences[accepted.verifier])
            if says and (accepted.verifier, accepted.token_id) not in told:
                told.add((accepted.verifier, accepted.token_id))
                token = tokens.get(accepted.token_id)
                yield Violation(
                    "no verifier accepts a second later",
                    f"the verifier {accepted.verifier} accepted a token at {accepted.at:.3f}: {says}",
                    accepted.at,
                    tuple(item for item in (accepted, token, voiding) if item is not None),
                )

    def _late(self, accepted: Accepted, voiding: Operation | None, absences: list[tuple[float, float]]) -> str:
        policy = self._history.policies[accepted.verifier]
        if policy.refuses and accepted.at - accepted.confirmed_after > policy.max_staleness + _LOOKS_LATER:
            return f"its feed was confirmed {accepted.at - accepted.confirmed_after:.1f} s before, and it was to refuse"
        if voiding is None:
            return ""
        if accepted.confirmed_before > voiding.end:
            return f"it had heard all up to {accepted.confirmed_before:.3f}, and the call returned at {voiding.end:.3f}"
        due = voiding.end + HEARS_WITHIN
        excused_until = max((end for begin, end in absences if begin <= due), default=due)
        late = accepted.at - max(due, excused_until)
        if late > 0 and late > _LEFT_OUT * self._history.stalled(voiding.end, accepted.at):
            return f"{accepted.at - voiding.end:.3f} s after the call returned, and nothing was in the way"
        return ""

    def _void_since(self, asked: Asked) -> Operation | None:
        certain = [
            call
            for subject in (asked.token_id, asked.secret_id, asked.application_id, asked.tenant_id, asked.kid)
            for call in self._subjects.voids.get(subject, ())
            if call.outcome is Outcome.DONE and self._is_voided(asked, call)
        ]
        return min(certain, key=lambda call: call.end, default=None)

    def _is_voided(self, asked: Asked, call: Operation) -> bool:
        if call.subject in {asked.token_id, asked.kid}:
            return True
        if asked.end < call.begin:
            return True
        if not call.effect.takes or asked.begin > call.end:
            return False
        # Issued while the call was under way: before it took effect, unless something was given back in between.
        return not any(
            give.may_have_happened and give.begin <= asked.end and give.latest >= call.begin
            for give in self._subjects.gives.get(call.subject, ())
        )

    def _nearby(self, subjects: Iterable[str], at: float) -> list[Operation]:
        calls = [
            call
            for subject in subjects
            for calls in (self._subjects.gives, self._subjects.takes)
            for call in calls[subject]
        ]
        calls.sort(key=lambda call: call.begin)
        position = bisect_right([call.begin for call in calls], at)
        return calls[max(0, position - _SLICE) : position + 2]


def _is_made(gives: list[Operation]) -> bool:
    """Tell whether the subject is one that the first of these calls made."""
    return any(give.action.endswith(".created") for give in gives)


def _united_absences(absences: Iterable[Absence], verifier: str) -> list[tuple[float, float]]:
    """Return when the verifier may have been out of touch: what overlaps is one absence."""
    united: list[tuple[float, float]] = []
    for _, begin, end in sorted(absence for absence in absences if absence.verifier == verifier):
        if united and begin <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        else:
            united.append((begin, end))
    return united
