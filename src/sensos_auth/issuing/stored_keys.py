"""The signing keys as the registry has them, and two ways to get at them: reading them now, and having read them."""

from typing import NamedTuple, Protocol

from sensos_auth.model.signing_key import SigningKey
from sensos_auth.registry import Registry, View
from sensos_auth.registry.issuing_lock import issuing_locked_at
from sensos_auth.registry.signing_keys import list_signing_keys, sealed_private_key, signing_keys_version


class StoredKeys(NamedTuple):
    """All signing keys in one state of the registry, the sealed private halves by key ID, and the issuing lock.

    ``version`` is the registry version of the last change to any of it.
    """

    version: int
    keys: list[SigningKey]
    sealed: dict[str, bytes]
    is_locked: bool


class KeyStore(Protocol):
    """Where a keyring gets the signing keys from."""

    def version(self) -> int:
        """Return the version of the last change to them; raises RegistryUnavailable."""

    def read(self) -> StoredKeys:
        """Return them; raises RegistryUnavailable."""


def read_stored_keys(view: View) -> StoredKeys:
    """Return the signing keys of this state of the registry."""
    version = signing_keys_version(view)  # first: it says so when this program is too old to read the rest
    keys = list_signing_keys(view)
    sealed = {key.kid: sealed_private_key(view, key.kid) for key in keys if key.has_private_key}
    return StoredKeys(
        version=version,
        keys=keys,
        sealed={kid: private_key for kid, private_key in sealed.items() if private_key is not None},
        is_locked=issuing_locked_at(view) is not None,
    )


class KeysInRegistry:
    """A key store that reads the registry whenever it is asked. Used by one thread."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def version(self) -> int:
        """Return the version of the last change to them, as of now; raises RegistryUnavailable."""
        with self._registry.view() as view:
            return signing_keys_version(view)

    def read(self) -> StoredKeys:
        """Return them as of now; raises RegistryUnavailable."""
        with self._registry.view() as view:
            return read_stored_keys(view)
