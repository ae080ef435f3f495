"""Reading the audit trail: pages, filters, order."""

from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, disable_application
from sensos_auth.registry.audit import AuditEvent, AuditFilter, events_page, list_events
from sensos_auth.registry.tenants import create_tenant
from tests.registries import START, Clock


def _happenings(registry: Registry, clock: Clock) -> str:
    """Let four events happen, at three times; return the tenant that three of them are about."""
    with registry.change("test:a") as change:
        tenant = create_tenant(change, name="a")
        create_tenant(change, name="b")
    clock.advance(10)
    with registry.change("test:b") as change:
        application = create_application(change, tenant_id=tenant.tenant_id, name="c")
    clock.advance(10)
    with registry.change("test:a") as change:
        disable_application(change, application.application_id)
    return tenant.tenant_id


def _page(
    registry: Registry, wanted: AuditFilter | None = None, after: tuple[int, int] | None = None, limit: int = 100
) -> list[AuditEvent]:
    with registry.view() as view:
        return events_page(view, wanted or AuditFilter(), after=after, limit=limit)


def test_pages_follow_each_other_without_gap_or_repetition(registry: Registry, clock: Clock) -> None:
    """Page by page, with each page's last event as the start of the next, every event comes once, in order."""
    _happenings(registry, clock)
    events: list[AuditEvent] = []
    while page := _page(registry, after=(events[-1].version, events[-1].position) if events else None, limit=1):
        events += page
    with registry.view() as view:
        assert events == list_events(view)
    assert [event.action for event in events] == [
        "tenant.created",
        "tenant.created",
        "application.created",
        "application.disabled",
    ]


def test_each_filter_alone_and_all_together(registry: Registry, clock: Clock) -> None:
    """Tenant, actor, action (whole, or its first word) and time each leave out what does not fit."""
    tenant_id = _happenings(registry, clock)
    expected = {
        AuditFilter(tenant_id=tenant_id): [0, 2, 3],
        AuditFilter(actor="test:a"): [0, 1, 3],
        AuditFilter(action="application"): [2, 3],
        AuditFilter(action="application.created"): [2],
        AuditFilter(action="app"): [],
        AuditFilter(since=START + 10): [2, 3],
        AuditFilter(until=START + 10): [0, 1],
        AuditFilter(since=START + 1, until=START + 20): [2],
        AuditFilter(tenant_id=tenant_id, actor="test:a", action="application", since=START, until=START + 21): [3],
    }
    every = _page(registry)
    found = {wanted: [every.index(event) for event in _page(registry, wanted)] for wanted in expected}
    assert found == expected


def test_an_event_of_a_clock_that_was_set_back_is_found_by_the_time_it_states(registry: Registry, clock: Clock) -> None:
    """Versions only grow; since and until go by the time that the event itself states."""
    _happenings(registry, clock)
    clock.advance(-3600)
    with registry.change("test:late") as change:
        create_tenant(change, name="d")
    (found,) = _page(registry, AuditFilter(since=START - 4000, until=START))
    assert found.actor == "test:late"


def test_tenant_and_time_are_found_by_an_index(sqlite_registry: Registry) -> None:
    """SQLite's plans search an index for a page of the trail, and for one of a tenant; neither sorts."""
    with sqlite_registry.view() as view:
        for name, index in (
            ("events_page", "sqlite_autoindex_audit_events_1"),
            ("events_page_of_tenant", "audit_events_of_tenant"),
        ):
            statement = getattr(view.statements, name).sql
            names = ("tenant_id", "version", "position", "since", "until", "actor", "action", "limit")
            rows = view.connection.execute(f"EXPLAIN QUERY PLAN {statement}", dict.fromkeys(names, 1)).fetchall()
            (plan,) = [row[3] for row in rows]
            assert plan.startswith(f"SEARCH audit_events USING INDEX {index}")
            assert "(version,position)>(?,?)" in plan
