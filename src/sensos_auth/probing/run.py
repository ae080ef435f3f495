"""The whole probe: a good token first, then every bad request, one after the other, then the good token again."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from sensos_auth.probing.exchange import Answer, Send, Silence
from sensos_auth.probing.faults import CONSEQUENCES, FETCHES, ORACLE, Fault
from sensos_auth.probing.judge import Baseline, judge
from sensos_auth.probing.key_server import CERTIFICATE_PATH, JWKS_PATH
from sensos_auth.probing.means import Means
from sensos_auth.probing.oracle import distinct_answers
from sensos_auth.probing.probe import Group, NotRun, Probe
from sensos_auth.probing.probes import all_probes
from sensos_auth.probing.probes.header_members import JKU_HERE, X5U_HERE
from sensos_auth.probing.report import Observation, Report, excerpt_of, outcome_of
from sensos_auth.probing.revoking import RevocationProbe

_LATE_IN_A_ROW = 3
_KEPT_BY_THE_PROBE = {f"own key, {JKU_HERE}": JWKS_PATH, f"own key, {X5U_HERE}": CERTIFICATE_PATH}
_TOO_MANY_REQUESTS = 429
_NOWHERE = "/sensos-auth-probe/there-is-nothing-here"

# Told before each request: how many were sent, of how many, and the group.
Progress = Callable[[int, int, Group], None]


def run(means: Means, send: Send, *, contract: bool, progress: Progress) -> Report:
    """Send every probe, and return what was found.

    Nothing is sent when the good token is refused: then every refusal would prove nothing. ``contract`` judges each
    401 by this product's own contract as well.
    """
    good = send(means.endpoint.bearer(means.good.text))
    problem = _control(means, send, good)
    if problem is not None or isinstance(good, Silence):
        return Report(means.endpoint, problem, (), (), ())
    baseline = Baseline(good, send(means.endpoint.request(target=_NOWHERE)))
    findings = _Findings(means, baseline, contract=contract)
    planned = list(all_probes(means))
    late_in_a_row = 0
    for position, probe in enumerate(planned):
        if isinstance(probe, NotRun):
            findings.not_run.append(probe)
        elif late_in_a_row >= _LATE_IN_A_ROW:
            findings.not_run.append(NotRun(probe.group, probe.name, "left out: the service had stopped answering"))
        else:
            progress(position, len(planned), probe.group)
            answer = send(probe.request)
            late_in_a_row = late_in_a_row + 1 if answer is Silence.LATE else 0
            findings.add(probe, answer)
            findings.add_visits(probe, answer)
    findings.add_oracle()
    after = send(means.endpoint.bearer(means.good.text))
    if not _is_accepted(after):
        problem = f"the good token was accepted before the bad requests, but not after them ({outcome_of(after)})"
    refused_after = None
    if problem is None:
        progress(len(planned), len(planned), Group.REVOCATION)
        refused_after = findings.add_revocation(RevocationProbe(means, send))
    return findings.report(problem, refused_after)


def _control(means: Means, send: Send, good: Answer | Silence) -> str | None:
    if not _is_accepted(good):
        return f"the good token is not accepted ({outcome_of(good)})"
    if means.registry is not None:
        signed = means.issuer_signed(means.registry, {}, means.fresh_claims({}))
        answer = send(means.endpoint.bearer(signed))
        if not _is_accepted(answer):
            return f"a token signed with the key of this registry is not accepted ({outcome_of(answer)})"
    return None


def _is_accepted(answer: Answer | Silence) -> bool:
    return isinstance(answer, Answer) and answer.is_success


def _with_their_cause(observations: list[Observation]) -> Iterator[Observation]:
    found = {each.fault for each in observations}
    for each in observations:
        cause = next((cause for cause, faults in CONSEQUENCES.items() if cause in found and each.fault in faults), None)
        yield each if cause is None else replace(each, fault=cause)


@dataclass
class _Findings:
    means: Means
    baseline: Baseline
    contract: bool
    tried: list[tuple[Group, str]] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    not_run: list[NotRun] = field(default_factory=list)
    answers: list[tuple[Probe, Answer]] = field(default_factory=list)

    def add(self, probe: Probe, answer: Answer | Silence) -> None:
        if isinstance(answer, Answer) and answer.status == _TOO_MANY_REQUESTS:
            reason = "proves nothing: the service limits requests (429)"
            self.not_run.append(NotRun(probe.group, probe.name, reason))
            return
        self.tried.append((probe.group, probe.name))
        if isinstance(answer, Answer):
            self.answers.append((probe, answer))
        self._observe(judge(probe, answer, self.baseline, contract=self.contract), probe, answer)

    def add_visits(self, probe: Probe, answer: Answer | Silence) -> None:
        path = _KEPT_BY_THE_PROBE.get(probe.name)
        if path is not None and self.means.key_server is not None and self.means.key_server.was_asked_for(path):
            self._observe([FETCHES], probe, answer)

    def add_oracle(self) -> None:
        kinds = distinct_answers(self.answers)
        if len(kinds) > 1:
            for probe, answer in kinds:
                self._observe([ORACLE], probe, answer)

    def add_revocation(self, probe: RevocationProbe) -> float | None:
        result = probe.run()
        if isinstance(result, NotRun):
            self.not_run.append(result)
            return None
        self.tried.append((Group.REVOCATION, probe.NAME))
        if isinstance(result, Observation):
            self.observations.append(result)
            return None
        return result

    def report(self, problem: str | None, refused_after: float | None) -> Report:
        everything = (tuple(self.tried), tuple(_with_their_cause(self.observations)), tuple(self.not_run))
        return Report(self.means.endpoint, problem, *everything, refused_after)

    def _observe(self, faults: Iterable[Fault], probe: Probe, answer: Answer | Silence) -> None:
        for fault in faults:
            excerpt = excerpt_of(answer, (probe.shown, self.means.good.text))
            self.observations.append(Observation(fault, probe.group, probe.name, outcome_of(answer), excerpt))
