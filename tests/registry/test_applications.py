import pytest

from sensos_auth.model.application import Application
from sensos_auth.model.errors import InvalidInput, NotFound
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import (
    create_application,
    disable_application,
    enable_application,
    get_application,
    list_applications,
)
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.tenants import create_tenant
from tests.registries import START, Clock


@pytest.fixture
def tenant_id(registry: Registry) -> str:
    """Return the ID of a tenant."""
    with registry.change("me") as change:
        return create_tenant(change, name="Acme").tenant_id


def test_created_application_is_found_as_it_was_returned(registry: Registry, tenant_id: str) -> None:
    """What create_application returns is what is stored, the scope in its normal form."""
    with registry.change("me") as change:
        created = create_application(change, tenant_id=tenant_id, name="Pump", scope=" b  a b ", lifetime=5)
    with registry.view() as view:
        assert get_application(view, created.application_id) == created
    assert (created.scope, created.lifetime, created.created_at) == ("b a", 5, START)


def test_application_of_unknown_tenant_is_refused(registry: Registry) -> None:
    """An application always belongs to a tenant."""
    with pytest.raises(NotFound), registry.change("me") as change:
        create_application(change, tenant_id="ten_" + "a" * 26, name="x")


@pytest.mark.parametrize(
    ("scope", "lifetime"), [('a"b', None), ("a\tb", None), ("x" * 1025, None), ("", 0), ("", 86_401)]
)
def test_bad_scope_or_lifetime_is_refused(registry: Registry, tenant_id: str, scope: str, lifetime: int | None) -> None:
    """A refused application leaves no trace, not even an audit event."""
    with pytest.raises(InvalidInput), registry.change("me") as change:
        create_application(change, tenant_id=tenant_id, name="x", scope=scope, lifetime=lifetime)
    with registry.view() as view:
        assert list_applications(view) == []
        assert [event.action for event in list_events(view)] == ["tenant.created"]


def test_disabling_and_enabling_are_told_with_the_tenant(registry: Registry, tenant_id: str, clock: Clock) -> None:
    """The audit trail says which tenant's application was disabled, by whom and when."""
    with registry.change("me") as change:
        application_id = create_application(change, tenant_id=tenant_id, name="x").application_id
    clock.advance(5)
    with registry.change("you") as change:
        assert disable_application(change, application_id).disabled_at == START + 5
    with registry.change("you") as change:
        assert enable_application(change, application_id).disabled_at is None
    with registry.view() as view:
        events = [(event.at, event.actor, event.action, event.tenant_id) for event in list_events(view)[-2:]]
    assert events == [
        (START + 5, "you", "application.disabled", tenant_id),
        (START + 5, "you", "application.enabled", tenant_id),
    ]


@pytest.mark.parametrize("act", [disable_application, enable_application, get_application])
def test_unknown_application_is_not_found(registry: Registry, act) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - any of three
    """Nothing is done to what does not exist."""
    with pytest.raises(NotFound), registry.change("me") as change:
        act(change, "app_" + "a" * 26)


def test_pages_of_all_and_of_one_tenant_are_complete(registry: Registry, tenant_id: str) -> None:
    """Paging by any limit shows each application once, in the order of creation."""
    with registry.change("me") as change:
        other = create_tenant(change, name="b").tenant_id
    made = []
    for number in range(9):
        with registry.change("me") as change:
            owner = tenant_id if number % 2 else other
            made.append(create_application(change, tenant_id=owner, name=f"a{number}"))
    for whose, expected in ((None, made), (tenant_id, [a for a in made if a.tenant_id == tenant_id])):
        seen = list[Application]()
        with registry.view() as view:
            while page := list_applications(
                view, tenant_id=whose, after=seen[-1].application_id if seen else None, limit=2
            ):
                seen += page
        assert seen == expected


def test_listing_for_unknown_tenant_or_cursor_is_refused(registry: Registry, tenant_id: str) -> None:
    """A typing error is told apart from an empty list."""
    with registry.view() as view:
        with pytest.raises(NotFound):
            list_applications(view, tenant_id="ten_" + "a" * 26)
        with pytest.raises(NotFound):
            list_applications(view, tenant_id=tenant_id, after="app_" + "a" * 26)
