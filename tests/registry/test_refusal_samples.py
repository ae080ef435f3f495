"""The audit trail tells that an application is refused, so seldom that nobody can fill it."""

import pytest

from sensos_auth.model.identifiers import new_application_id
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, delete_application
from sensos_auth.registry.audit import AuditEvent, AuditFilter, events_page
from sensos_auth.registry.audit_verification import verify_trail
from sensos_auth.registry.refusal_samples import sample_refusals
from sensos_auth.registry.tenants import create_tenant
from tests.registries import Clock, Place

HOUR = 3600


@pytest.fixture
def applications(registry: Registry) -> list[str]:
    """Return twenty-five applications of one tenant."""
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        return [create_application(change, tenant_id=tenant_id, name="Pump").application_id for _ in range(25)]


def samples(registry: Registry) -> list[AuditEvent]:
    """Return the events about refusals."""
    with registry.view() as view:
        return events_page(view, AuditFilter(action="authentication.refused"), limit=1000)


def test_sample_names_the_application_and_how_often_and_nothing_else(
    registry: Registry, applications: list[str], clock: Clock
) -> None:
    """Not why, and nothing that a client sent."""
    assert sample_refusals(registry, {applications[0]: 37}) == applications[:1]
    (event,) = samples(registry)
    assert event.tenant_id is not None
    assert (event.at, event.actor, event.subject) == (clock.seconds(), "system:usage", applications[0])
    assert event.details == {"refusals": 37}
    with registry.view() as view:
        assert verify_trail(view).findings == []


def test_an_application_is_told_of_once_an_hour(registry: Registry, applications: list[str], clock: Clock) -> None:
    """However long it goes on."""
    for _ in range(120):
        sample_refusals(registry, {applications[0]: 1000})
        clock.advance(60)
    assert [event.at % HOUR for event in samples(registry)] == [0, 0]


def test_ten_applications_a_minute_are_told_of_the_most_refused_first(
    registry: Registry, applications: list[str], clock: Clock
) -> None:
    """By all workers together; what was passed over comes in the next minute, if it goes on."""
    refusals = {application_id: number for number, application_id in enumerate(applications, 1)}
    assert sample_refusals(registry, refusals) == applications[:-11:-1]
    assert sample_refusals(registry, refusals) == []
    clock.advance(60)
    assert sample_refusals(registry, refusals) == applications[-11:-21:-1]
    clock.advance(60)
    assert sample_refusals(registry, refusals) == applications[4::-1]
    clock.advance(60)
    assert sample_refusals(registry, refusals) == []


def test_applications_that_do_not_exist_are_passed_over(registry: Registry, applications: list[str]) -> None:
    """So that whoever makes names up leaves no trace, and takes no place from others."""
    with registry.change("me") as change:
        delete_application(change, applications[1])
    made_up = {new_application_id(): 1000 for _ in range(50)}
    named = {"": 9, "'; DROP TABLE usage": 9, applications[1]: 8, applications[0]: 1}
    assert sample_refusals(registry, made_up | named) == applications[:1]
    assert [event.subject for event in samples(registry)] == applications[:1]


def test_nothing_to_tell_is_no_change(registry: Registry, applications: list[str]) -> None:
    """The registry's version stays."""
    with registry.view() as view:
        before = view.statements.audit_hash(view.connection)
    assert sample_refusals(registry, {}) == []
    assert sample_refusals(registry, {new_application_id(): 5}) == []
    with registry.view() as view:
        assert view.statements.audit_hash(view.connection) == before
    assert applications


def test_two_workers_tell_of_an_application_once(place: Place) -> None:
    """Also when both have counted its refusals."""
    one, other = place.open(), place.open()
    with one.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        application_id = create_application(change, tenant_id=tenant_id, name="Pump").application_id
    assert sample_refusals(one, {application_id: 5}) == [application_id]
    assert sample_refusals(other, {application_id: 7}) == []
