"""The figures of a run, and the pieces of its history that show what went wrong, in words."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from statistics import quantiles

from tests.nodes.checker import Checker, Violation
from tests.nodes.history import Asked, FaultRecord, History, Operation, Outcome
from tests.nodes.verifiers import Verifier

_SHOWN = 5
# Seconds for which a fault that is mended may still be felt.
_LASTS = 2.0
# Seconds before a violation in which faults ended that are shown with it.
_FAULTS_BEFORE = 15.0


def figures(history: History, verifiers: Iterable[Verifier]) -> Iterator[str]:
    """Yield the lines of the summary."""
    outcomes = Counter(str(operation.outcome) for operation in history.operations)
    yield f"{len(history.operations)} operations: {_counted(outcomes)}"
    by_way = Counter("a node" if call.via.startswith("node") else call.via for call in history.operations)
    yield f"  through {_counted(by_way)}"
    yield f"{len(history.faults)} faults: {_counted(Counter(fault.kind for fault in history.faults))}"
    statuses = Counter(str(asked.status or "no answer") for asked in history.asked)
    yield f"{len(history.asked)} token requests: {_counted(statuses)}"
    for node, longest in _longest_waits(history.asked):
        yield f"  the longest wait at {node}: {longest:.1f} s"
    for verifier in verifiers:
        policy = "refuses when stale" if history.policies[verifier.name].refuses else "accepts when stale"
        yield f"verifier {verifier.name} ({policy}): {_counted(Counter(verifier.counts))}"
    yield from _machine(history)
    yield f"  {len(history.accepted)} times a token was accepted that was being taken away, or had been"
    calm = [call for call in _disabling(history) if not _is_disturbed(call, history.faults)]
    yield from _disable_times("with nothing broken", calm, history)
    yield from _disable_times("all in all", _disabling(history), history)
    yield from _latest_of_verifiers(history)
    yield from _recoveries(history)


def _machine(history: History) -> Iterator[str]:
    if len(history.stalls) > 1:
        first, last = history.stalls[0], history.stalls[-1]
        share = (last.seconds - first.seconds) / (last.at - first.at)
        yield f"processes waited for a processor in {share:.0%} of the time: half of that is left out for verifiers"


def violations_in_words(violations: list[Violation], faults: Iterable[FaultRecord]) -> Iterator[str]:
    """Yield what was broken how often, and the history around the first of each kind, with the faults of the time."""
    by_rule: dict[str, list[Violation]] = defaultdict(list)
    for violation in violations:
        by_rule[violation.rule].append(violation)
    for rule, found in by_rule.items():
        yield f"BROKEN {len(found)} times: {rule}"
        yield f"  from {min(one.at for one in found):.3f} to {max(one.at for one in found):.3f}"
        for violation in found[:_SHOWN]:
            yield f"  {violation.says}"
            for item in violation.slice:
                yield f"    {item}"
            for fault in sorted(faults, key=lambda fault: fault.begin):
                if fault.begin <= violation.at + 1 and violation.at <= fault.end + _FAULTS_BEFORE:
                    yield f"    {fault.kind}: {fault.target} from {fault.begin:.3f} to {fault.end:.3f}"


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())


def _longest_waits(asked: Iterable[Asked]) -> list[tuple[str, float]]:
    longest: dict[str, float] = defaultdict(float)
    for one in asked:
        longest[one.node] = max(longest[one.node], one.end - one.begin)
    return sorted(longest.items())


def _disabling(history: History) -> list[Operation]:
    return [call for call in history.operations if call.action.endswith(".disabled") and call.outcome is Outcome.DONE]


def _is_disturbed(call: Operation, faults: Iterable[FaultRecord]) -> bool:
    return any(fault.begin <= call.end and call.begin <= fault.end + _LASTS for fault in faults)


def _disable_times(when: str, calls: list[Operation], history: History) -> Iterator[str]:
    over_http = [call for call in calls if call.via.startswith("node")]
    if len(over_http) < 2:
        return
    took = [call.end - call.begin for call in over_http]
    yield f"disable over HTTP took {_percentiles(took)} ({when}, {len(took)} times)"
    begun = _begins_of_issued(history)
    stopped = []
    for call in over_http:
        late = [at for at in begun[call.subject] if call.begin <= at <= call.end]
        stopped.append(max(late, default=call.begin) - call.begin)
    yield f"  the last request that still got a token from any node began {_percentiles(stopped)} after the call"


def _begins_of_issued(history: History) -> dict[str, list[float]]:
    begun: dict[str, list[float]] = defaultdict(list)
    for asked in history.issued():
        begun[asked.application_id].append(asked.begin)
        begun[asked.tenant_id].append(asked.begin)
    return begun


def _percentiles(values: list[float]) -> str:
    cuts = quantiles(values, n=100, method="inclusive")
    return f"{cuts[49]:.3f} s p50, {cuts[98]:.3f} s p99, {max(values):.3f} s at most"


def _recoveries(history: History) -> Iterator[str]:
    """Yield how long after a fault's end each node that it hit issued again, where nothing else was broken then."""
    issued: dict[str, list[float]] = defaultdict(list)
    for asked in history.issued():
        issued[asked.node].append(asked.end)
    for times in issued.values():
        times.sort()
    waits: dict[str, list[float]] = defaultdict(list)
    for fault in history.faults:
        hit = [fault.target] if fault.target in issued else list(issued) if fault.target == "PostgreSQL" else []
        for node in hit:
            times = issued[node]
            position = bisect_left(times, fault.end)
            if position < len(times) and not _is_felt_by(node, fault, times[position], history.faults):
                waits[fault.kind].append(times[position] - fault.end)
    for kind, found in sorted(waits.items()):
        middle = sorted(found)[len(found) // 2]
        yield f"issued again after {kind} was over: {middle:.2f} s p50, {max(found):.2f} s at most ({len(found)} times)"


def _is_felt_by(node: str, fault: FaultRecord, until: float, faults: Iterable[FaultRecord]) -> bool:
    """Tell whether anything but the fault is felt by the node from the fault's begin on."""
    return any(
        other is not fault
        and other.target in {node, "PostgreSQL"}
        and other.begin <= until
        and fault.begin <= other.end + _LASTS
        for other in faults
    )


def _latest_of_verifiers(history: History) -> Iterator[str]:
    """Yield how long after a call had returned a verifier still accepted what it voided, before anything was broken."""
    first = min((fault.begin for fault in history.faults), default=float("inf"))
    voided = Checker(history).void_since()
    latest: dict[tuple[str, str], float] = {}
    for accepted in history.accepted:
        call = voided.get(accepted.token_id)
        if call is not None and call.end < first - _LASTS:
            key = accepted.verifier, accepted.token_id
            latest[key] = max(latest.get(key, 0.0), accepted.at - call.end)
    if len(latest) > 1:
        yield f"a verifier last accepted a voided token {_percentiles(list(latest.values()))} after the call returned"
