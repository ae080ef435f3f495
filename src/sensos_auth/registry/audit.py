"""The audit trail: who did what to whom, when, in the order in which it happened."""

import json
from dataclasses import dataclass

from sensos_auth.registry.transactions import View


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One thing that happened. ``at`` is in UTC seconds; events of one change share its registry version."""

    version: int
    position: int
    at: int
    actor: str
    action: str
    tenant_id: str | None
    subject: str
    details: dict[str, str | int]
    hash: bytes | None


def list_events(view: View) -> list[AuditEvent]:
    """Return all audit events in the order in which they happened."""
    return [
        AuditEvent(version, position, at, actor, action, tenant_id, subject, json.loads(details), digest)
        for version, position, at, actor, action, tenant_id, subject, details, digest in view.statements.events(
            view.connection
        )
    ]
