"""The report for programs. Published format: members may be added, none is removed or given another meaning."""

from sensos_auth.probing.faults import Severity
from sensos_auth.probing.report import Report


def json_report(report: Report, least: Severity) -> dict[str, object]:
    """Return the JSON document; ``result`` is ``failed`` when a finding is of the severity ``least`` or worse."""
    return {
        "url": str(report.endpoint),
        "result": "failed" if report.fails(least) else "passed",
        "control": {"accepted": report.control is None, "problem": report.control},
        "tried": [{"group": group, "name": name} for group, name in report.tried],
        "findings": [
            {
                "severity": fault.severity,
                "title": fault.title,
                "meaning": fault.meaning,
                "remedy": fault.remedy,
                "probes": [
                    {"group": each.group, "name": each.name, "outcome": each.outcome, "excerpt": each.excerpt}
                    for each in observations
                ],
            }
            for fault, observations in report.findings()
        ],
        "notRun": [{"group": each.group, "name": each.name, "reason": each.reason} for each in report.not_run],
        "refusedAfterSeconds": report.refused_after,
    }
