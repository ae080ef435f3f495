"""A running node notices that a standby took over which had not heard everything."""

import time
from collections.abc import Callable, Iterator

import pytest

from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, disable_application, get_application
from sensos_auth.registry.audit import AuditFilter, events_page
from sensos_auth.registry.issuing_lock import RESTORED
from sensos_auth.registry.tenants import create_tenant
from sensos_auth.server.registry_follower import FollowedRegistry
from tests.failover import Failover
from tests.issuing.deployment import MASTER_KEY
from tests.postgresql_server import new_database_url
from tests.registries import Clock, Place

ISSUER = "https://auth.example"


@pytest.fixture
def failover() -> Iterator[Failover]:
    """Return a registry that can be lost."""
    place = Place("postgresql", new_database_url(), Clock())
    yield Failover(place)
    place.close()


def _wait_until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_z31_nodes_take_away_again_what_a_failover_lost(failover: Failover) -> None:
    """Three nodes follow. What was lost is taken away again, once, before any of them confirms anything."""
    place = failover.place
    registry = place.open()
    keep_keys_current(registry, MASTER_KEY, "ES256")
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        application_id = create_application(change, tenant_id=tenant_id, name="Pump").application_id
    failover.copy()
    nodes = [FollowedRegistry(place.address, ISSUER, lambda: Registry(place.connect(), place.clock)) for _ in range(3)]
    for node in nodes:
        node.start()
    try:
        with place.open().change("me") as change:
            disable_application(change, application_id)
        _wait_until(lambda: all(node.lease.confirmed.version == change.version for node in nodes))
        restored = failover.take_over()
        _wait_until(lambda: all(node.lease.confirmed.version > change.version for node in nodes))
    finally:
        for node in nodes:
            node.close()
    with restored.view() as view:
        assert get_application(view, application_id).disabled_at is not None
        (told,) = events_page(view, AuditFilter(action=RESTORED))
        assert (told.details["lost_events"], told.actor) == (1, "system:follower")
