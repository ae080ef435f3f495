"""The signing keys as a worker holds them: read again when they changed, opened when they sign."""

from sensos_auth.issuing.key_pair import load_signature_function
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.minting import Signer
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.model.signing_key import SigningKey, active_key
from sensos_auth.registry import Registry
from sensos_auth.registry.signing_keys import list_signing_keys, sealed_private_key, signing_keys_version


class Keyring:
    """Holds the keys of one registry in memory. Used by one thread at a time."""

    def __init__(self, registry: Registry, master_key: MasterKey) -> None:
        self._registry = registry
        self._master_key = master_key
        self._version = -1
        self._keys: list[SigningKey] = []
        self._signer: Signer | None = None
        self._signer_from = 0
        self._signer_until = 0

    def signer(self, now: int, version: int) -> Signer:
        """Return the signer of the key that is active at ``now`` (UTC seconds).

        ``version`` is the version of the last change to a signing key: another than the one held, and the keys are
        read again. Raises RegistryUnavailable when no key is active, ConfigurationError for another master key.
        """
        if version != self._version:
            self._read()
        if self._signer is None or not self._signer_from <= now < self._signer_until:
            self._signer = self._open(now)
        return self._signer

    def published(self, now: int) -> list[SigningKey]:
        """Return the keys that the JWKS lists at ``now`` (UTC seconds), as the registry has them at this moment."""
        with self._registry.view() as view:
            version = signing_keys_version(view)
        if version != self._version:
            self._read()
        return [key for key in self._keys if key.is_published(now)]

    def _read(self) -> None:
        with self._registry.view() as view:
            self._keys = list_signing_keys(view)
            self._version = signing_keys_version(view)
        self._signer = None

    def _open(self, now: int) -> Signer:
        key = active_key(self._keys, now)
        if key is None:
            raise RegistryUnavailable("the registry holds no active signing key")
        self._signer_from = key.signs_from
        self._signer_until = key.signs_until or 1 << 62
        with self._registry.view() as view:
            sealed = sealed_private_key(view, key.kid)
        if sealed is None:
            raise RegistryUnavailable(f"the private half of the signing key {key.kid} has been erased")
        private_key = self._master_key.open(key.kid, sealed)
        return Signer(key.kid, key.algorithm, load_signature_function(key.algorithm, private_key))
