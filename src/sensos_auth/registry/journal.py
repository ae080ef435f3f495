"""The audit export as a journal: does it go on where a backup ended, and what happened since."""

import json
from collections.abc import Iterable, Sequence

from sensos_auth.model.errors import InvalidInput
from sensos_auth.registry.audit import AuditEvent
from sensos_auth.registry.audit_chain import chained_hash
from sensos_auth.registry.audit_export import ExportedEvent
from sensos_auth.registry.backup import Manifest


def events_since(manifest: Manifest, journals: Iterable[Iterable[ExportedEvent]]) -> list[ExportedEvent]:
    """Return the events after the backup, from several exports that may overlap, in the order of the trail.

    Raises InvalidInput unless they follow the backup without a gap. A journal that was cut off at its end can't be told
    from one in which nothing came after.
    """
    merged: dict[tuple[int, int], ExportedEvent] = {}
    for exported in (each for journal in journals for each in journal if each.event.version > manifest.version):
        place = exported.event.version, exported.event.position
        if merged.setdefault(place, exported) != exported:
            raise InvalidInput(
                f"the journals tell two different events {place[0]}/{place[1]}: of which registry are they?"
            )
    later = [merged[place] for place in sorted(merged)]
    before = manifest.head
    for event, digest in later:
        if digest is None and before is None:  # from before there was a chain
            continue
        if chained_hash(before, event) != digest:
            raise InvalidInput(
                f"the journal does not go on where the backup ended: before the event {event.version}/{event.position} "
                "one is missing, or was altered, or it is of another registry. Give every export from before the "
                "backup on, or restore without"
            )
        before = digest
    return later


def as_audit_events(exported: Sequence[ExportedEvent]) -> list[AuditEvent]:
    """Return the events as the trail has them."""
    return [
        AuditEvent(
            version=event.version,
            position=event.position,
            at=event.at,
            actor=event.actor,
            action=event.action,
            tenant_id=event.tenant_id,
            subject=event.subject,
            details=json.loads(event.details),
            hash=digest,
        )
        for event, digest in exported
    ]
