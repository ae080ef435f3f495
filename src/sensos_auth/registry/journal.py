"""The audit export as a journal: does it go on where a backup ended, and what happened since."""

import json
from collections.abc import Sequence

from sensos_auth.model.errors import InvalidInput
from sensos_auth.registry.audit import AuditEvent
from sensos_auth.registry.audit_chain import chained_hash
from sensos_auth.registry.audit_export import ExportedEvent
from sensos_auth.registry.backup import Manifest


def events_since(manifest: Manifest, journal: Sequence[ExportedEvent]) -> list[ExportedEvent]:
    """Return the events after the backup. Raises InvalidInput unless they follow it without a gap.

    ``journal`` is in the order of the trail. A journal that was cut off at its end can't be told from one in which
    nothing came after.
    """
    earlier = [each for each in journal if each.event.version <= manifest.version]
    if earlier and manifest.head is not None and earlier[-1].hash != manifest.head:
        raise InvalidInput(
            "the journal tells something else than the backup of the time before it was made: it is of another "
            "registry, or one of them was tampered with"
        )
    later = [each for each in journal if each.event.version > manifest.version]
    before = manifest.head
    for event, digest in later:
        if digest is None and before is None:  # from before there was a chain
            continue
        if chained_hash(before, event) != digest:
            raise InvalidInput(
                f"the journal does not go on where the backup ended: before the event {event.version}/{event.position} "
                "one is missing, or was altered. Give every export from before the backup on, or restore without"
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
