import pytest

from sensos_auth.model.errors import InvalidInput, NotFound
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, list_applications
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.tenants import create_tenant, disable_tenant, enable_tenant, get_tenant, list_tenants
from tests.registries import START, Clock


def test_created_tenant_is_found_as_it_was_returned(registry: Registry) -> None:
    """What create_tenant returns is what is stored."""
    with registry.change("me") as change:
        created = create_tenant(change, name="Ærøskøbing 株式会社", lifetime=60)
    with registry.view() as view:
        assert get_tenant(view, created.tenant_id) == created
    assert (created.lifetime, created.created_at, created.disabled_at) == (60, START, None)


def test_names_may_repeat_and_ids_do_not(registry: Registry) -> None:
    """Two tenants of one name are two tenants."""
    with registry.change("me") as change:
        first, second = create_tenant(change, name="Acme"), create_tenant(change, name="Acme")
    assert first.tenant_id != second.tenant_id
    with registry.view() as view:
        assert len(list_tenants(view)) == 2


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x00b", "\ud800", "x" * 201])
def test_bad_name_is_refused_and_nothing_is_stored(registry: Registry, name: str) -> None:
    """A name is 1 to 200 printable characters."""
    with pytest.raises(InvalidInput, match="printable"), registry.change("me") as change:
        create_tenant(change, name=name)
    with registry.view() as view:
        assert list_tenants(view) == []
        assert list_events(view) == []


@pytest.mark.parametrize("lifetime", [0, -1, 86_401])
def test_lifetime_outside_the_ceiling_is_refused(registry: Registry, lifetime: int) -> None:
    """No tenant gets a lifetime that is not from 1 to 86 400 seconds."""
    with pytest.raises(InvalidInput, match="86400"), registry.change("me") as change:
        create_tenant(change, name="Acme", lifetime=lifetime)


@pytest.mark.parametrize("tenant_id", ["", "ten_", "ten_" + "a" * 26, "x' OR '1'='1", "%", "ten_\x00", "\ud800"])
def test_a21_unknown_tenant_is_not_found_whatever_is_asked_for(registry: Registry, tenant_id: str) -> None:
    """Any text that names no tenant is NotFound on every engine."""
    with registry.view() as view, pytest.raises(NotFound):
        get_tenant(view, tenant_id)
    with pytest.raises(NotFound), registry.change("me") as change:
        disable_tenant(change, tenant_id)


def test_disabling_keeps_the_first_time_and_enabling_clears_it(registry: Registry, clock: Clock) -> None:
    """Disabling twice changes nothing; enabling undoes it; both are told in the audit trail."""
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
    seen = []
    for act in (disable_tenant, disable_tenant, enable_tenant):
        clock.advance(10)
        with registry.change("me") as change:
            seen.append(act(change, tenant_id).disabled_at)
    assert seen == [START + 10, START + 10, None]
    with registry.view() as view:
        actions = [event.action for event in list_events(view)]
    assert actions == ["tenant.created", "tenant.disabled", "tenant.disabled", "tenant.enabled"]


def test_pages_are_stable_while_rows_are_added(registry: Registry, clock: Clock) -> None:
    """Paging shows every tenant that was there at the beginning once, in order, and later ones at the end."""
    made = []
    for number in range(7):
        with registry.change("me") as change:
            made.append(create_tenant(change, name=f"t{number}").tenant_id)
            if number % 3 == 0:  # several in one change share its version
                made.append(create_tenant(change, name=f"t{number}b").tenant_id)
        clock.advance(-1 if number == 3 else 1)
    seen: list[str] = []
    while True:
        with registry.view() as view:
            page = list_tenants(view, after=seen[-1] if seen else None, limit=2)
        if not page:
            break
        seen += [tenant.tenant_id for tenant in page]
        if len(seen) == 4:
            with registry.change("me") as change:
                made.append(create_tenant(change, name="late").tenant_id)
    assert sorted(seen) == sorted(made)
    assert seen[-1] == made[-1]


def test_unknown_cursor_is_refused(registry: Registry) -> None:
    """A page after nothing is an error, not an empty page that looks like the end."""
    with registry.view() as view, pytest.raises(NotFound):
        list_tenants(view, after="ten_" + "a" * 26)


def test_a_tenants_applications_are_its_own(registry: Registry) -> None:
    """Listing one tenant's applications shows no other tenant's."""
    with registry.change("me") as change:
        ours, theirs = create_tenant(change, name="a"), create_tenant(change, name="b")
        wanted = create_application(change, tenant_id=ours.tenant_id, name="x")
        create_application(change, tenant_id=theirs.tenant_id, name="x")
    with registry.view() as view:
        assert list_applications(view, tenant_id=ours.tenant_id) == [wanted]
