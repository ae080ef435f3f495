"""The signing keys in one state of the registry, and a keyring over a store that follows."""

import pytest

from sensos_auth.issuing.key_rotation import keep_keys_current, revoke, rotate
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.stored_keys import KeysInRegistry, StoredKeys, read_stored_keys
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry import Registry
from sensos_auth.registry.issuing_lock import lock_issuing, unlock_issuing
from sensos_auth.registry.signing_keys import list_signing_keys, signing_keys_version
from sensos_auth.registry.tenants import create_tenant
from tests.issuing.deployment import MASTER_KEY
from tests.registries import Clock


def _stored(registry: Registry) -> StoredKeys:
    with registry.view() as view:
        return read_stored_keys(view)


class _Behind:
    """A store that has what was put into it, as one that a thread fills."""

    def __init__(self, stored: StoredKeys) -> None:
        self.stored = stored
        self.reads = 0

    def version(self) -> int:
        return self.stored.version

    def read(self) -> StoredKeys:
        self.reads += 1
        return self.stored


def test_registry_without_keys(registry: Registry) -> None:
    """Nothing, of the version of the beginning."""
    assert _stored(registry) == StoredKeys(0, [], {}, is_locked=False)


def test_keys_their_private_halves_and_their_version_belong_together(registry: Registry, clock: Clock) -> None:
    """An erased private half is left out; the key itself stays. Both engines say the same."""
    keep_keys_current(registry, MASTER_KEY, "ES256")
    rotate(registry, MASTER_KEY, "ES256", immediately=True, actor="me")
    first, second = _stored(registry).keys
    revoke(registry, MASTER_KEY, "ES256", first.kid, actor="me")
    stored = _stored(registry)
    with registry.view() as view:
        assert stored.keys == list_signing_keys(view)
        assert stored.version == signing_keys_version(view)
    assert first.kid not in stored.sealed
    assert MASTER_KEY.open(second.kid, stored.sealed[second.kid])
    assert not stored.is_locked
    assert clock.seconds() == stored.keys[0].revoked_at


def test_lock_is_a_change_of_the_keys(registry: Registry) -> None:
    """So that whoever follows the keys hears of it; other changes are none."""
    keep_keys_current(registry, MASTER_KEY, "ES256")
    versions = [_stored(registry).version]
    with registry.change("me") as change:
        create_tenant(change, name="a")
    assert _stored(registry).version == versions[0]
    with registry.change("me") as change:
        lock_issuing(change)
        change.record("registry.restored", "registry")
    locked = _stored(registry)
    with registry.change("me") as change:
        unlock_issuing(change)
    unlocked = _stored(registry)
    assert (locked.is_locked, unlocked.is_locked) == (True, False)
    assert versions[0] < locked.version < unlocked.version
    assert locked.keys == unlocked.keys


def test_store_over_a_registry_reads_it_each_time(registry: Registry) -> None:
    """Nothing is held."""
    store = KeysInRegistry(registry)
    assert (store.version(), store.read().keys) == (0, [])
    key = keep_keys_current(registry, MASTER_KEY, "ES256")
    assert key is not None
    assert store.version() == store.read().version > 0
    assert store.read() == _stored(registry)


def test_z48_keyring_whose_store_is_behind_signs_nothing(registry: Registry, clock: Clock) -> None:
    """The credential says that the keys have changed: until they are read, the old one may be a revoked one."""
    keep_keys_current(registry, MASTER_KEY, "ES256")
    store = _Behind(_stored(registry))
    keyring = Keyring(store, MASTER_KEY)
    before = keyring.signer(clock.seconds(), store.version())
    revoke(registry, MASTER_KEY, "ES256", before.kid, actor="me")
    news = _stored(registry)
    for _ in range(2):
        with pytest.raises(RegistryUnavailable, match="changed"):
            keyring.signer(clock.seconds(), news.version)
    store.stored = news
    after = keyring.signer(clock.seconds(), news.version)
    assert after.kid != before.kid


def test_keyring_goes_by_keys_that_are_newer_than_the_credential(registry: Registry, clock: Clock) -> None:
    """The thread has read the new ones, and the credential was read before: the new ones sign."""
    keep_keys_current(registry, MASTER_KEY, "ES256")
    older = _stored(registry).version
    rotate(registry, MASTER_KEY, "ES256", immediately=True, actor="me")
    store = _Behind(_stored(registry))
    keyring = Keyring(store, MASTER_KEY)
    assert keyring.signer(clock.seconds(), older).kid == keyring.current_signer(clock.seconds()).kid


def test_keyring_reads_its_store_only_when_something_has_changed(registry: Registry, clock: Clock) -> None:
    """Signing is the hot path."""
    keep_keys_current(registry, MASTER_KEY, "ES256")
    store = _Behind(_stored(registry))
    keyring = Keyring(store, MASTER_KEY)
    signers = {id(keyring.signer(clock.seconds(), store.version())) for _ in range(100)}
    keyring.jwks(clock.seconds())
    assert (len(signers), store.reads) == (1, 1)
