"""What the registry says in the end: read from PostgreSQL, past every proxy and every node."""

import time
from contextlib import closing

from sensos_auth.model.revocation import RevocationKind
from sensos_auth.registry import View, open_registry
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.revocations import find_revocation
from sensos_auth.registry.signing_keys import list_signing_keys
from tests.nodes.ending import Ending
from tests.nodes.history import Operation, now
from tests.nodes.trail import TrailEvent

_KINDS = {
    "application": RevocationKind.APPLICATION,
    "secret": RevocationKind.CREDENTIAL,
    "signing_key": RevocationKind.SIGNING_KEY,
    "tenant": RevocationKind.TENANT,
    "token": RevocationKind.TOKEN,
}


def read_ending(url: str, operations: list[Operation]) -> tuple[list[TrailEvent], Ending]:
    """Return the audit trail, and what is on, and void, of that which the operations were about."""
    since_boot = now() - time.time()
    with closing(open_registry(url)) as registry, registry.view() as view:
        events = [
            TrailEvent(
                event.version,
                event.version / 1000 + since_boot,
                event.action,
                event.actor,
                event.subject,
                str(event.details.get("application_id", "")),
            )
            for event in list_events(view)
        ]
        return events, Ending(_switches(view), _voided(view, operations))


def _switches(view: View) -> dict[str, bool]:
    rows = view.connection.execute(
        "SELECT tenant_id, disabled_at IS NULL FROM tenants"
        " UNION ALL SELECT application_id, disabled_at IS NULL FROM applications"
        " UNION ALL SELECT secret_id, revoked_at IS NULL FROM secrets"
    ).fetchall()
    return dict(rows) | {key.kid: key.revoked_at is None for key in list_signing_keys(view)}


def _voided(view: View, operations: list[Operation]) -> dict[str, int | None]:
    voided: dict[str, int | None] = {}
    for operation in operations:
        if operation.effect.voids:
            kind = _KINDS[operation.action.split(".")[0]]
            found = find_revocation(view, kind, operation.subject)
            if found is not None:
                voided[operation.subject] = found.void_before
    return voided
