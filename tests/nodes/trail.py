"""Does the audit trail agree with what was acknowledged? Pure, as :mod:`tests.nodes.checker`.

4. No acknowledged call is missing in the audit trail, none stands there twice, and what came after another stands after
   it: registry versions grow in the order of the calls.
5. No token is of a registry version at which it was taken away: nothing would ever void it.

The trail also tells what became of the calls whose outcome nobody was told.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from tests.nodes.checker import Violation
from tests.nodes.history import Asked, Effect, Operation, Outcome

# Seconds by which a version, which is a time, may lie beside the call: clocks tick, and versions are never given twice.
TOLERANCE: Final = 0.3
LOST: Final = "no acknowledged write lost"
_ORDER = "versions grow in the order of the calls"
_VERSION = "no token of a version at which it was taken away"
_UNASKED = "nothing done twice"
# A rotation names all secrets that end: those among them that would have ended before are left as they are.
_NOT_ALWAYS_TOLD = frozenset({"secret.rotated"})


class TrailEvent(NamedTuple):
    """An event of the audit trail. ``at`` is its version, as a time of the history.

    ``of`` is the application of a secret.
    """

    version: int
    at: float
    action: str
    actor: str
    subject: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The calls with all that the trail tells of them, their versions by number, and what does not agree."""

    operations: list[Operation]
    versions: dict[int, int]
    violations: list[Violation]


_Key = tuple[str, str, str]


def resolve(operations: Iterable[Operation], events: Sequence[TrailEvent], *, seen_until: float) -> Resolved:
    """Find the event of each call. A call of unknown outcome that has none by ``seen_until`` did not happen.

    The subject of a creation of unknown outcome is ``?`` and the application that something was made for.
    """
    calls: dict[_Key, list[Operation]] = defaultdict(list)
    resolved = Resolved([], {}, [])
    for operation in operations:
        if operation.effect is Effect.REPLACES_KEY:
            # Whichever of two rotations made the key: it is told of by what makes it sign.
            resolved.operations.append(operation)
            resolved.violations.extend(_untold(operation, events))
        else:
            calls[operation.action, operation.actor, operation.subject].append(operation)
    found = _events_of(calls, events)
    committed_by = _commit_times(events, seen_until)
    for key in calls.keys() | found.keys():
        _resolve_alike(resolved, calls.get(key, []), found.get(key, []), committed_by)
    resolved.operations.sort(key=lambda call: call.begin)
    resolved.violations.extend(_out_of_order(resolved.operations, resolved.versions))
    return resolved


def _events_of(calls: Mapping[_Key, list[Operation]], events: Sequence[TrailEvent]) -> dict[_Key, list[TrailEvent]]:
    """Return the events that calls of this kind and these actors can have left, by action, actor and subject."""
    actions, actors = {action for action, _, _ in calls}, {actor for _, actor, _ in calls}
    found: dict[_Key, list[TrailEvent]] = defaultdict(list)
    for event in events:
        if event.action in actions and event.actor in actors:
            key = (event.action, event.actor, event.subject)
            found[key if key in calls else (event.action, event.actor, f"?{event.of}")].append(event)
    return found


def _resolve_alike(
    resolved: Resolved, calls: list[Operation], events: list[TrailEvent], committed_by: Mapping[int, float]
) -> None:
    """Add the calls of one actor that did the same to one subject."""
    matched, left = _matched(calls, events)
    actions = {call.action for call in calls} | {event.action for event in left}
    is_always_told = _NOT_ALWAYS_TOLD.isdisjoint(actions)
    for call in calls:
        told = matched.get(call.number)
        if told is not None:
            resolved.versions[call.number] = told.version
            resolved.operations.append(_happened(call, told, committed_by[told.version]))
        elif call.outcome is not Outcome.DONE:
            resolved.operations.append(replace(call, outcome=Outcome.NOT_DONE))
        else:
            resolved.operations.append(call)
            if is_always_told:
                says = f"{call.action} {call.subject} is not in the audit trail"
                resolved.violations.append(Violation(LOST, says, call.end, (call,)))
    for event in left if is_always_told else ():
        says = f"{event.action} {event.subject} was done, and nobody asked for it"
        resolved.violations.append(Violation(_UNASKED, says, event.at, (event, *calls[-5:])))


def _untold(rotation: Operation, events: Sequence[TrailEvent]) -> Iterator[Violation]:
    if rotation.outcome is Outcome.DONE and not any(
        event.subject == rotation.made and rotation.begin - TOLERANCE <= event.at <= rotation.end + TOLERANCE
        for event in events
    ):
        yield Violation(LOST, f"the key {rotation.made} is not in the audit trail", rotation.end, (rotation,))


def _happened(call: Operation, event: TrailEvent, committed_by: float) -> Operation:
    subject = event.subject if call.subject.startswith("?") else call.subject
    latest = call.end if call.outcome is Outcome.DONE else max(call.begin, committed_by)
    return replace(call, subject=subject, takes_effect_by=latest)


def _commit_times(events: Sequence[TrailEvent], seen_until: float) -> dict[int, float]:
    """Return, for each version, the time by which it was committed: when the next one was given."""
    versions = sorted({event.version: event.at for event in events}.items())
    following = [at + TOLERANCE for _, at in versions[1:]]
    return dict(zip((version for version, _ in versions), [*following, seen_until], strict=False))


def _matched(calls: list[Operation], events: list[TrailEvent]) -> tuple[dict[int, TrailEvent], list[TrailEvent]]:
    """Return the event of each call, by its number, and the events that are left over.

    Each event goes to the acknowledged call that can wait the least, and only otherwise to one of unknown outcome.
    """
    waiting = [call for call in calls if call.may_have_happened]
    matched: dict[int, TrailEvent] = {}
    left: list[TrailEvent] = []
    for event in sorted(events):
        able = [call for call in waiting if call.begin - TOLERANCE <= event.at <= _deadline(call)]
        if not able:
            left.append(event)
            continue
        chosen = min(able, key=lambda call: (call.outcome is not Outcome.DONE, _deadline(call), call.begin))
        waiting.remove(chosen)
        matched[chosen.number] = event
    return matched, left


def _deadline(call: Operation) -> float:
    return call.end + TOLERANCE if call.outcome is Outcome.DONE else float("inf")


def _out_of_order(operations: list[Operation], versions: Mapping[int, int]) -> Iterator[Violation]:
    done = [call for call in operations if call.outcome is Outcome.DONE and call.number in versions]
    by_end = sorted(done, key=lambda call: call.end)
    ends = [call.end for call in by_end]
    highest: list[Operation] = []
    for call in by_end:
        highest.append(call if not highest or versions[call.number] > versions[highest[-1].number] else highest[-1])
    for call in done:
        position = bisect_left(ends, call.begin)
        if position and versions[highest[position - 1].number] >= versions[call.number]:
            before = highest[position - 1]
            says = f"version {versions[call.number]} began after version {versions[before.number]} had returned"
            yield Violation(_ORDER, says, call.begin, (before, call))


def of_a_version_taken_away(issued: Iterable[Asked], events: Sequence[TrailEvent]) -> Iterator[Violation]:
    """Yield the tokens of a version at which, as the trail tells it, there was none to be had."""
    switches: dict[str, list[tuple[int, bool, TrailEvent]]] = defaultdict(list)
    for event in sorted(events):
        if event.action.endswith((".disabled", ".enabled", ".revoked")):
            switches[event.subject].append((event.version, event.action.endswith(".enabled"), event))
    versions = {subject: [version for version, _, _ in found] for subject, found in switches.items()}
    for asked in issued:
        for subject in (asked.tenant_id, asked.application_id, asked.secret_id, asked.kid):
            position = bisect_right(versions.get(subject, []), asked.version)
            if position and not switches[subject][position - 1][1]:
                event = switches[subject][position - 1][2]
                says = f"{asked.node} issued a token of version {asked.version}, at which {subject} was {event.action}"
                yield Violation(_VERSION, says, asked.begin, (event, asked))
