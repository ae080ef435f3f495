"""Verifiers, as they reported themselves with their polls of the revocation feed."""

from collections.abc import Iterable
from dataclasses import dataclass

from sensos_auth.registry.revocations import registry_version
from sensos_auth.registry.transactions import Registry, View

# Milliseconds for which a verifier that went away is still listed.
_REMEMBERED_FOR = 3_600_000
# Rows of one application. Names are its own choice, and must not fill the disk.
MOST_VERIFIERS = 10_000
# Milliseconds by which one report can be written after a later one of the same verifier, because its poll was held. A
# row that is further ahead is of before the clock was set back.
_OVERTAKEN_BY = 60_000


@dataclass(frozen=True, slots=True)
class VerifierReport:
    """What a verifier of the application said with its poll: the registry version and the keys that it holds.

    ``seen_at`` is when it polled, ``live_until`` until when it is counted on; both in UTC milliseconds.
    """

    application_id: str
    name: str
    tenant_id: str
    version: int
    kids: tuple[str, ...]
    seen_at: int
    live_until: int


def record_verifiers(view: View, reports: Iterable[VerifierReport]) -> None:
    """Keep each report, unless a later one of the verifier is there; inside ``registry.observation()``.

    A version that the registry has not reached cannot have been heard from it: such a report is kept as that of a
    verifier which holds nothing. A further verifier of an application that has 10 000 already is passed over.
    """
    newest = registry_version(view)
    room: dict[str, int] = {}
    for report in reports:
        whose = {"application_id": report.application_id, "name": report.name}
        if not view.statements.is_known_verifier(view.connection, **whose):
            if report.application_id not in room:  # counted once: ten thousand rows take a quarter of a millisecond
                count = view.statements.count_verifiers(view.connection, application_id=report.application_id)
                room[report.application_id] = MOST_VERIFIERS - count
            if room[report.application_id] <= 0:
                continue
            room[report.application_id] -= 1
        view.statements.write_verifier(
            view.connection,
            **whose,
            tenant_id=report.tenant_id,
            version=report.version if report.version <= newest else 0,
            kids=",".join(report.kids),
            seen_at=report.seen_at,
            live_until=report.live_until,
            overtaken_by=_OVERTAKEN_BY,
        )


def list_verifiers(view: View, *, after: tuple[str, str] = ("", ""), limit: int = 100) -> list[VerifierReport]:
    """Return up to ``limit`` reports by application ID and name, those after the pair ``after``."""
    rows = view.statements.verifiers(view.connection, application_id=after[0], name=after[1], limit=limit)
    return [_report(row) for row in rows]


def live_verifiers(view: View, now_ms: int) -> list[VerifierReport]:
    """Return the reports of the verifiers that are counted on at ``now_ms`` (UTC milliseconds).

    Those of an application that is disabled, or whose tenant is, are not: it has no token to report with any more.
    """
    rows = view.statements.live_verifiers(view.connection, now_ms=now_ms, overtaken_by=_OVERTAKEN_BY)
    return [_report(row) for row in rows]


def verifiers_without_key(view: View, kid: str, now_ms: int) -> list[VerifierReport]:
    """Return the live verifiers that say which keys they hold, but not this one."""
    return [report for report in live_verifiers(view, now_ms) if report.kids and kid not in report.kids]


def purge_verifiers(registry: Registry) -> None:
    """Forget the verifiers that went away an hour ago. Raises RegistryUnavailable."""
    with registry.observation() as view:
        view.statements.purge_verifiers(view.connection, before_ms=view.now * 1000 - _REMEMBERED_FOR)


def _report(row: tuple[str, str, str, int, str, int, int]) -> VerifierReport:
    application_id, name, tenant_id, version, kids, seen_at, live_until = row
    held = tuple(kids.split(",")) if kids else ()
    return VerifierReport(application_id, name, tenant_id, version, held, seen_at, live_until)
