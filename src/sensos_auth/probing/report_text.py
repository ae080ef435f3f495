"""The report for people."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from sensos_auth.probing.faults import Severity
from sensos_auth.probing.probe import Group
from sensos_auth.probing.report import Observation, Report

_SHOWN = 4  # probes whose answers are shown, for each finding
_NAMED = 8  # more of them that are named; JSON names all


def text_report(report: Report) -> Iterator[str]:
    """Yield the lines: what was tried, what was found and how to mend it, what was not tried, and the sum of it."""
    yield f"Bad requests to {report.endpoint}"
    if report.control is not None:
        yield ""
        yield f"CONTROL FAILED: {report.control}."
        yield "A service that refuses everything refuses bad tokens as well: the refusals prove nothing."
    if not report.tried:
        return
    yield ""
    yield from _groups(report)
    for severity, findings in groupby(report.findings(), key=lambda finding: finding[0].severity):
        yield ""
        yield severity.upper()
        for fault, observations in findings:
            yield f"  {fault.title}."
            yield f"    {fault.meaning}"
            yield f"    Mend: {fault.remedy}"
            yield from (f"    {line}" for line in _evidence(observations))
    yield from _not_run(report)
    yield ""
    yield _sum(report)


def _groups(report: Report) -> Iterator[str]:
    yield f"{'group':22}{'tried':>7}{'found':>7}{'not run':>9}"
    for group in Group:
        counts = _counts(report)[group]
        yield f"{group:22}{counts['tried']:>7}{counts['found'] or '-':>7}{counts['notRun'] or '-':>9}"


def _counts(report: Report) -> Mapping[Group, Mapping[str, int]]:
    found = {(each.group, each.name) for each in report.observations}
    return {
        group: {
            "tried": sum(tried is group for tried, _ in report.tried),
            "found": sum(each is group for each, _ in found),
            "notRun": sum(each.group is group for each in report.not_run),
        }
        for group in Group
    }


def _evidence(observations: list[Observation]) -> Iterator[str]:
    for each in observations[:_SHOWN]:
        excerpt = f": {each.excerpt}" if each.excerpt else ""
        yield f"- {each.group}, {each.name} -> {each.outcome}{excerpt}"
    rest = observations[_SHOWN:]
    if rest:
        names = "; ".join(each.name for each in rest[:_NAMED])
        yield f"- and {len(rest)} more: {names}{'; …' if len(rest) > _NAMED else ''}"


def _not_run(report: Report) -> Iterator[str]:
    if report.not_run:
        yield ""
        yield "NOT RUN"
    by_reason = sorted(report.not_run, key=lambda each: each.reason)
    for reason, group in groupby(by_reason, key=lambda each: each.reason):
        names = list(group)
        yield f"  {len(names)} {'probe' if len(names) == 1 else 'probes'}: {reason}"
        for about, members in groupby(names, key=lambda each: each.group):
            yield f"    {about}: {'; '.join(each.name for each in members)}"


def _sum(report: Report) -> str:
    findings = ", ".join(f"{report.count(severity)} {severity}" for severity in Severity)
    control = "failed" if report.control else "the good token was accepted before and after"
    revoked = (
        "" if report.refused_after is None else f" A revoked token was refused after {report.refused_after:.1f} s."
    )
    return f"{len(report.tried)} probes: {findings}; {len(report.not_run)} not run. Control: {control}.{revoked}"
