"""The audit trail: who did what to whom, when, in the order in which it happened."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sensos_auth.registry.transactions import View

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One thing that happened. ``at`` is in UTC seconds; events of one change share its registry version.

    ``hash`` is that of the chain (:mod:`sensos_auth.registry.audit_chain`), None for an event from before there was
    one.
    """

    version: int
    position: int
    at: int
    actor: str
    action: str
    tenant_id: str | None
    subject: str
    details: dict[str, str | int]
    hash: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which events: those for which everything holds that is given.

    ``action`` is a whole one (``secret.revoked``) or its first word (``secret``); ``since`` and ``until`` are in UTC
    seconds, the latter without the second itself.
    """

    tenant_id: str | None = None
    actor: str | None = None
    action: str | None = None
    since: int | None = None
    until: int | None = None


ALL_EVENTS = AuditFilter()
_END_OF_TIME = (1 << 63) - 1


def events_page(
    view: View, wanted: AuditFilter = ALL_EVENTS, *, after: tuple[int, int] | None = None, limit: int = 100
) -> list[AuditEvent]:
    """Return up to ``limit`` events in the order in which they happened, those after the pair (version, position).

    ``tenant_id``, ``since`` and ``after`` are found by an index: a version is never behind the milliseconds of its
    event. All else is looked at event by event, so that a page which few events fit, and the last one with ``until``,
    reads the trail to its end.
    """
    start = (-1, -1) if after is None else after
    if wanted.since is not None:
        start = max(start, (wanted.since * 1000 - 1, _END_OF_TIME))
    parameters = {
        "version": start[0],
        "position": start[1],
        "actor": wanted.actor,
        "action": wanted.action,
        "since": wanted.since or 0,
        "until": _END_OF_TIME if wanted.until is None else wanted.until,
        "limit": limit,
    }
    statements, connection = view.statements, view.connection
    if wanted.tenant_id is None:
        rows = statements.events_page(connection, **parameters)
    else:
        rows = statements.events_page_of_tenant(connection, **parameters, tenant_id=wanted.tenant_id)
    return [_event(row) for row in rows]


def events_after(view: View, after: tuple[int, int] | None = None) -> Iterator[AuditEvent]:
    """Yield every event after the pair (version, position), a page at a time; without it, all of them."""
    while page := events_page(view, after=after, limit=_PAGE):
        yield from page
        after = page[-1].version, page[-1].position


def list_events(view: View) -> list[AuditEvent]:
    """Return all audit events in the order in which they happened."""
    return list(events_after(view))


def audit_head(view: View) -> bytes | None:
    """Return the hash of the last event, as the clock keeps it; None before the first one that has a hash."""
    head: bytes | None = view.statements.audit_hash(view.connection)
    return head


def audit_head_at(view: View, version: int) -> bytes | None:
    """Return the hash of the last event of this registry version; None where there is no event, or it has no hash."""
    head: bytes | None = view.statements.last_hash_of_version(view.connection, version=version)
    return head


def _event(row: tuple[Any, ...]) -> AuditEvent:
    version, position, at, actor, action, tenant_id, subject, details, digest = row
    return AuditEvent(version, position, at, actor, action, tenant_id, subject, _read(details), digest)


def _read(details: str) -> dict[str, str | int]:
    try:
        read: dict[str, str | int] = json.loads(details)
    except ValueError:  # somebody altered it: shown as it is, and found by a verification
        return {"unreadable": details}
    return read
