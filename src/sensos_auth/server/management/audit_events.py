"""``/v1/audit-events``: who did what to whom, when; those of the caller's tenant, for operators all."""

import re
from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field

from sensos_auth.registry.audit import AuditEvent, AuditFilter, events_page
from sensos_auth.registry.pages import cut_page
from sensos_auth.server.management.carrying_out import Reading
from sensos_auth.server.management.members import Shown, UtcSeconds, utc_time
from sensos_auth.server.management.operations import Operations
from sensos_auth.server.management.pages import PageMetadata, PageQuery, Sought, bad_cursor
from sensos_auth.server.management.reach import chosen_history
from sensos_auth.server.management.replies import Reply

_CURSOR = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")
_EXAMPLE = {
    "version": 1_795_597_200_000,
    "position": 0,
    "at": "2026-11-25T09:00:00Z",
    "actor": "application:app_mfrggzdfmztwq2lknnwg23tpoa",
    "action": "secret.revoked",
    "tenantId": "ten_ga2tqnbygu3tmobzha4tsojqgy",
    "subject": "sec_orugs4zanfzsa3tporqsa43fmm",
    "details": {"application_id": "app_mfrggzdfmztwq2lknnwg23tpoa", "tokens": "void"},
    "hash": "0f1f9a4c7f0b7a5d4e3d2c1b0a998877665544332211ffeeddccbbaa99887766",
}

operations = Operations("Audit trail")


class AuditEventShown(Shown):
    """One thing that happened. Events of one change share its version."""

    version: int
    position: int
    at: datetime
    actor: str = Field(description="Such as `application:app_…`, `cli:root` or `system:rotation`.")
    action: str
    tenant_id: str | None
    subject: str
    details: dict[str, str | int]
    hash: str | None = Field(description="Of the chain, in hexadecimal; `null` for an event from before there was one.")


class AuditEventPage(Shown):
    """A page of events, in the order in which they happened."""

    metadata: PageMetadata
    audit_events: list[AuditEventShown]


class AuditEventsQuery(PageQuery):
    """Which events."""

    tenant_id: Sought | None = Field(None, description="Only those about this tenant.")
    actor: Sought | None = Field(None, description="Only what this one did.")
    action: Sought | None = Field(None, description="Only this, such as `secret.revoked`, or `secret` for all.")
    since: UtcSeconds | None = Field(None, alias="from", description="Not before this time.")
    until: UtcSeconds | None = Field(None, description="Before this time.")


@operations.reads(
    "/v1/audit-events",
    scope="auth:audit:read",
    summary="Read the audit trail",
    shown=AuditEventPage,
    example={"metadata": {"nextCursor": None}, "auditEvents": [_EXAMPLE]},
)
def list_audit_events(call: Reading, page: Annotated[AuditEventsQuery, Query()]) -> Reply:
    """Those about the caller's tenant; for operators all, also those about no tenant."""
    wanted = AuditFilter(
        tenant_id=chosen_history(call.view, call.authority, page.tenant_id),
        actor=page.actor,
        action=page.action,
        since=page.since,
        until=page.until,
    )
    found = events_page(call.view, wanted, after=_place(page.cursor), limit=page.limit + 1)
    shown, next_cursor = cut_page(found, page.limit, lambda event: f"{event.version}.{event.position}")
    metadata = PageMetadata(next_cursor=next_cursor)
    return Reply(AuditEventPage(metadata=metadata, audit_events=[_shown(event) for event in shown]))


def _place(cursor: str | None) -> tuple[int, int] | None:
    if cursor is None:
        return None
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise bad_cursor()
    return int(match[1]), int(match[2])


def _shown(event: AuditEvent) -> AuditEventShown:
    return AuditEventShown(
        version=event.version,
        position=event.position,
        at=utc_time(event.at),
        actor=event.actor,
        action=event.action,
        tenant_id=event.tenant_id,
        subject=event.subject,
        details=event.details,
        hash=None if event.hash is None else event.hash.hex(),
    )
