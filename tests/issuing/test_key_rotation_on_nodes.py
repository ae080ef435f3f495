"""Rotation where there are several nodes: every node publishes a key before any of them signs with it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sensos_auth.issuing.key_rotation import keep_keys_current, revoke, rotate
from sensos_auth.model.errors import Conflict, NotFound
from sensos_auth.model.signing_key import KeyState, active_key
from sensos_auth.registry import Registry
from sensos_auth.registry.audit import AuditEvent, list_events
from sensos_auth.registry.lease import LEASE
from sensos_auth.registry.signing_keys import list_signing_keys
from tests.issuing.deployment import MASTER_KEY
from tests.postgresql_server import new_database_url
from tests.registries import Clock, Place


@pytest.fixture
def nodes(clock: Clock) -> Iterator[Registry]:
    """Return a registry of several nodes, with its first key. Versions are those of the real clock, in milliseconds."""
    place = Place("postgresql", new_database_url(), clock)
    place.open()
    registry = Registry(place.connect())
    keep_keys_current(registry, MASTER_KEY, "ES256")
    yield registry
    place.close()


def _events(registry: Registry, kid: str) -> list[AuditEvent]:
    with registry.view() as view:
        return [event for event in list_events(view) if event.subject == kid]


def _states(registry: Registry) -> list[str]:
    with registry.view() as view:
        return [key.state(view.now).value for key in list_signing_keys(view)]


def test_immediate_rotation_publishes_first_and_signs_a_lease_later(nodes: Registry) -> None:
    """The new key is there as the next one, all nodes have heard of it, and only then it takes over."""
    key = rotate(nodes, MASTER_KEY, "ES256", actor="me", immediately=True)
    published, takes_over = _events(nodes, key.kid)
    assert (published.action, takes_over.action) == ("signing_key.published", "signing_key.scheduled")
    assert published.details["signs_from"] == pytest.approx(published.at + 48 * 3600, abs=1)
    assert takes_over.details["signs_from"] == pytest.approx(takes_over.at, abs=1)
    assert takes_over.version - published.version >= LEASE * 1000
    assert _states(nodes) == ["retiring", "active"]


def test_z49_revoking_the_key_that_signs_publishes_its_successor_first(nodes: Registry) -> None:
    """Otherwise verifiers that meet its tokens ask nodes that don't know it, and refuse them for a while."""
    with nodes.view() as view:
        active = active_key(list_signing_keys(view), view.now)
    assert active is not None
    revoke(nodes, MASTER_KEY, "ES256", active.kid, actor="me")
    with nodes.view() as view:
        successor = active_key(list_signing_keys(view), view.now)
    assert successor is not None
    published, takes_over = _events(nodes, successor.kid)
    assert takes_over.version - published.version >= LEASE * 1000
    assert _states(nodes) == ["revoked", "active"]


def test_z47_of_two_immediate_rotations_at_once_one_takes_over(nodes: Registry) -> None:
    """The other one is told so: its own key would sign before every node has published it."""
    with ThreadPoolExecutor(2) as pool:
        rotations = [
            pool.submit(rotate, nodes.another(), MASTER_KEY, "ES256", actor="me", immediately=True) for _ in range(2)
        ]
        outcomes = {type(rotation.exception()) for rotation in rotations}
    assert outcomes == {type(None), Conflict}
    assert _states(nodes) == ["retiring", "active"]


def test_revoking_another_key_publishes_nothing(nodes: Registry) -> None:
    """There is no successor to be made for a key that does not sign, nor for one that does not exist."""
    with pytest.raises(NotFound):
        revoke(nodes, MASTER_KEY, "ES256", "nothing", actor="me")
    rotate(nodes, MASTER_KEY, "ES256", actor="me", immediately=True)
    with nodes.view() as view:
        retiring = next(key for key in list_signing_keys(view) if key.state(view.now) is KeyState.RETIRING)
    revoke(nodes, MASTER_KEY, "ES256", retiring.kid, actor="me")
    assert _states(nodes) == ["revoked", "active"]
