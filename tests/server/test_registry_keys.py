"""The service's own verifier takes its keys from the registry as it is at this moment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.issuing.key_rotation import keep_keys_current, revoke, rotate
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.signing_keys import mark_signing_key_revoked, schedule_signing_key
from sensos_auth.server.registry_keys import RegistryKeys
from sensos_auth.verifying import KeysUnavailable


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[Registry, MasterKey, RegistryKeys]]:
    """Return a registry with one signing key, its master key, and what is tested."""
    url = f"sqlite:///{tmp_path / 'data' / 'registry.sqlite3'}"
    registry, of_the_worker = open_registry(url), open_registry(url)
    master_key = obtain_master_key(registry, {"SENSOS_AUTH_DATA_DIR": str(tmp_path / "data")})
    keep_keys_current(registry, master_key, "ES256")
    with registry.view() as view:
        now = view.now
    yield registry, master_key, RegistryKeys(Keyring(KeysInRegistry(of_the_worker), master_key), lambda: now)
    registry.close()
    of_the_worker.close()


def _kids(registry: Registry) -> list[str]:
    with registry.view() as view:
        return [str(row[0]) for row in view.statements.signing_keys(view.connection)]


def test_c18_published_key_is_found(opened: tuple[Registry, MasterKey, RegistryKeys]) -> None:
    """And no other."""
    registry, _, keys = opened
    (kid,) = _kids(registry)
    assert keys.find(kid) is not None
    assert keys.find(kid[:-1]) is None
    assert keys.find("") is None


def test_f12_key_is_found_as_soon_as_it_is_published(opened: tuple[Registry, MasterKey, RegistryKeys]) -> None:
    """Long before it signs."""
    registry, master_key, keys = opened
    assert keys.find(_kids(registry)[0]) is not None
    upcoming = rotate(registry, master_key, "ES256", actor="test", immediately=False).kid
    assert keys.find(upcoming) is not None


def test_f16_revoked_key_is_gone_at_once(opened: tuple[Registry, MasterKey, RegistryKeys]) -> None:
    """With the call that revokes it."""
    registry, master_key, keys = opened
    (kid,) = _kids(registry)
    assert keys.find(kid) is not None
    revoke(registry, master_key, "ES256", kid, actor="test")
    assert keys.find(kid) is None


def test_f07_no_published_key_at_all(opened: tuple[Registry, MasterKey, RegistryKeys]) -> None:
    """Nothing can be said of any token: neither refused nor let in. Good again once there is a key."""
    registry, master_key, keys = opened
    (kid,) = _kids(registry)
    with registry.change("test") as change:
        schedule_signing_key(change, kid, signs_from=change.now - 1, signs_until=change.now)
        mark_signing_key_revoked(change, kid)
    for _ in range(2):
        with pytest.raises(KeysUnavailable):
            keys.find(kid)
    added = keep_keys_current(registry, master_key, "ES256")
    assert added is not None
    assert keys.find(kid) is None
    assert keys.find(added.kid) is not None
