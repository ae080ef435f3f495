"""Is what is disabled, revoked and void in the end what the calls have left? Pure, as :mod:`tests.nodes.checker`.

6. No acknowledged write is lost: some order of the calls leaves what the registry holds.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.nodes.checker import Violation
from tests.nodes.history import Effect, Operation, Outcome
from tests.nodes.possible_states import PossibleStates
from tests.nodes.trail import LOST

_LONG_AFTER = 3600.0


class Ending(NamedTuple):
    """What the registry says in the end.

    ``is_on`` tells of tenants, applications and secrets whether they may have tokens, and of signing keys whether they
    are unrevoked. ``void_before`` has the version of each revocation, by the subject; None for a token and a key.
    """

    is_on: Mapping[str, bool]
    void_before: Mapping[str, int | None]


def of_the_ending(operations: Sequence[Operation], versions: Mapping[int, int], ending: Ending) -> Iterator[Violation]:
    """Yield what the registry lacks of what the calls have left; ``versions`` are theirs, by their numbers."""
    gives: dict[str, list[Operation]] = defaultdict(list)
    takes: dict[str, list[Operation]] = defaultdict(list)
    for call in operations:
        if call.effect is Effect.GIVES:
            gives[call.subject].append(call)
        if call.effect.takes and call.action != "secret.rotated":  # that is an end in time, not a state
            takes[call.subject].append(call)
    for subject in gives.keys() | takes.keys():
        if not subject.startswith("?"):
            yield from _of_subject(subject, gives[subject], takes[subject], ending.is_on.get(subject))
    yield from _of_revocations(operations, versions, ending.void_before)


def _of_subject(
    subject: str,
    gives: list[Operation],
    takes: list[Operation],
    is_on: bool | None,  # noqa: FBT001 - what was found
) -> Iterator[Violation]:
    calls = sorted((*gives, *takes), key=lambda call: call.begin)
    end = max(call.end for call in calls)
    if is_on is None:
        if any(call.outcome is Outcome.DONE for call in calls):
            yield Violation(LOST, f"{subject} is not in the registry", end, tuple(calls))
        return
    is_made = any(call.action.endswith(".created") for call in gives)
    if is_on:
        states = PossibleStates(gives, takes, is_initial=not is_made)
    else:
        states = PossibleStates(takes, gives, is_initial=is_made)
    if not states.within(end + _LONG_AFTER, end + _LONG_AFTER):
        says = f"{subject} is {'on' if is_on else 'off'} in the end, which no order of the calls explains"
        yield Violation(LOST, says, end, tuple(calls))


def _of_revocations(
    operations: Sequence[Operation], versions: Mapping[int, int], void_before: Mapping[str, int | None]
) -> Iterator[Violation]:
    for call in operations:
        if not (call.effect.voids and call.outcome is Outcome.DONE and call.number in versions):
            continue
        before = void_before.get(call.subject, 0)
        if before is not None and before < versions[call.number]:
            says = f"the tokens that {call.action} {call.subject} voided are good again"
            yield Violation(LOST, says, call.end, (call,))
