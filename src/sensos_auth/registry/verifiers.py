"""Verifiers, as they reported themselves with their polls of the revocation feed."""

from dataclasses import dataclass

from sensos_auth.registry.transactions import Registry, View

# Milliseconds for which a verifier that went away is still listed.
_REMEMBERED_FOR = 3_600_000
# Rows of one application. Names are its own choice, and must not fill the disk.
MOST_VERIFIERS = 10_000


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


def record_verifier(view: View, report: VerifierReport) -> None:
    """Keep the report, unless a later one is there; inside ``registry.observation()``.

    A further verifier of an application that has 10 000 already is passed over.
    """
    view.statements.write_verifier(
        view.connection,
        application_id=report.application_id,
        name=report.name,
        tenant_id=report.tenant_id,
        version=report.version,
        kids=",".join(report.kids),
        seen_at=report.seen_at,
        live_until=report.live_until,
        most=MOST_VERIFIERS,
    )


def list_verifiers(view: View, *, after: tuple[str, str] = ("", ""), limit: int = 100) -> list[VerifierReport]:
    """Return up to ``limit`` reports by application ID and name, those after the pair ``after``."""
    rows = view.statements.verifiers(view.connection, application_id=after[0], name=after[1], limit=limit)
    return [_report(row) for row in rows]


def live_verifiers(view: View, now_ms: int) -> list[VerifierReport]:
    """Return the reports of the verifiers that are counted on at ``now_ms`` (UTC milliseconds)."""
    return [_report(row) for row in view.statements.live_verifiers(view.connection, now_ms=now_ms)]


def purge_verifiers(registry: Registry) -> None:
    """Forget the verifiers that went away an hour ago. Raises RegistryUnavailable."""
    with registry.observation() as view:
        view.statements.purge_verifiers(view.connection, before_ms=view.now * 1000 - _REMEMBERED_FOR)


def _report(row: tuple[str, str, str, int, str, int, int]) -> VerifierReport:
    application_id, name, tenant_id, version, kids, seen_at, live_until = row
    held = tuple(kids.split(",")) if kids else ()
    return VerifierReport(application_id, name, tenant_id, version, held, seen_at, live_until)
