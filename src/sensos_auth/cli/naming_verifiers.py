"""How verifiers are named: to people by application, so that one with many names hides no other's."""

from collections import defaultdict
from collections.abc import Iterable

from sensos_auth.registry.verifiers import VerifierReport

_APPLICATIONS = 20
_NAMES = 5  # of each


def name_verifiers(reports: Iterable[VerifierReport]) -> str:
    """Return such as ``gate-1, gate-2 (app_a), gate-3 and 4 more (app_b)``."""
    names: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        names[report.application_id].append(report.name)
    told = [f"{_some(of_one)} ({application_id})" for application_id, of_one in list(names.items())[:_APPLICATIONS]]
    others = len(names) - _APPLICATIONS
    return ", ".join(told) + (f" and those of {others} more applications" if others > 0 else "")


def named_in_json(reports: Iterable[VerifierReport]) -> list[dict[str, str]]:
    """Return all of them, for programs."""
    return [{"name": report.name, "applicationId": report.application_id} for report in reports]


def _some(names: list[str]) -> str:
    others = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {others} more" if others > 0 else "")
