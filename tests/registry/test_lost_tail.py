"""A standby takes over that had not heard everything: what the lost changes took away stays taken away."""

from collections.abc import Iterator

import pytest

from sensos_auth.model.revocation import RevocationKind
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, disable_application, get_application
from sensos_auth.registry.audit import AuditEvent, list_events
from sensos_auth.registry.audit_verification import verify_trail
from sensos_auth.registry.issuing_lock import issuing_locked_at
from sensos_auth.registry.lost_tail import LostTail, take_away_again
from sensos_auth.registry.revocations import find_revocation, registry_version
from sensos_auth.registry.secrets import create_secret, get_secret, revoke_secret
from sensos_auth.registry.tenants import create_tenant
from tests.failover import Failover
from tests.postgresql_server import new_database_url
from tests.registries import Clock, Place


@pytest.fixture
def failover(clock: Clock) -> Iterator[Failover]:
    """Return a registry that can be lost."""
    place = Place("postgresql", new_database_url(), clock)
    yield Failover(place)
    place.close()


def _events(registry: Registry) -> list[AuditEvent]:
    with registry.view() as view:
        return list_events(view)


def test_z31_what_the_lost_changes_took_away_is_taken_away_again(failover: Failover) -> None:
    """An application that was disabled, a secret that was revoked: both are again. What was made since is void."""
    registry = failover.place.open()
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        disabled = create_application(change, tenant_id=tenant_id, name="Pump").application_id
        leaking = create_application(change, tenant_id=tenant_id, name="Valve").application_id
        secret_id = create_secret(change, application_id=leaking).kept.secret_id
    failover.copy()
    with registry.change("me") as change:
        disable_application(change, disabled)
    with registry.change("me") as change:
        revoke_secret(change, secret_id)
    with registry.change("me") as change:
        lost = create_application(change, tenant_id=tenant_id, name="Made since").application_id
    seen = _events(registry)
    restored = failover.take_over()

    assert take_away_again(restored, seen) == LostTail(events=3, is_locked=False)
    with restored.view() as view:
        assert get_application(view, disabled).disabled_at is not None
        assert get_secret(view, secret_id).revoked_at is not None
        assert find_revocation(view, RevocationKind.APPLICATION, lost) is not None
        assert issuing_locked_at(view) is None
        assert registry_version(view) > seen[-1].version
        assert verify_trail(view).findings == []


def test_z31_of_several_nodes_one_does_it(failover: Failover) -> None:
    """Each node finds it out for itself; what the first one did is not done again."""
    registry = failover.place.open()
    with registry.change("me") as change:
        create_tenant(change, name="Acme")
    failover.copy()
    with registry.change("me") as change:
        create_tenant(change, name="Lost")
    seen = _events(registry)
    restored = failover.take_over()
    assert take_away_again(restored, seen) is not None
    assert take_away_again(restored, seen) is None
    assert take_away_again(restored, seen[-1:]) is None


def test_z31_issuing_is_locked_where_nobody_knows_what_was_lost(failover: Failover) -> None:
    """A node that has seen only events which are all lost can't tell what was lost before them."""
    registry = failover.place.open()
    failover.copy()
    for name in ("a", "b"):
        with registry.change("me") as change:
            create_tenant(change, name=name)
    seen = _events(registry)[-1:]
    restored = failover.take_over()
    assert take_away_again(restored, seen) == LostTail(events=1, is_locked=True)
    with restored.view() as view:
        assert issuing_locked_at(view) is not None
