"""The signing keys as a worker holds them: read again when they changed, opened when they sign."""

from sensos_auth.issuing.key_pair import load_signature_function
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.minting import Signer
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.model.signing_key import SigningKey, active_key
from sensos_auth.registry import Registry
from sensos_auth.registry.issuing_lock import issuing_locked_at
from sensos_auth.registry.signing_keys import list_signing_keys, sealed_private_key, signing_keys_version

_NEVER = 1 << 62
_LOCKED = (
    "issuing is locked since a backup was restored: take away again what was taken away after it was made, then run "
    "sensos-auth issuing unlock"
)


class Keyring:
    """Holds the keys of one registry in memory. Used by one thread at a time."""

    def __init__(self, registry: Registry, master_key: MasterKey) -> None:
        self._registry = registry
        self._master_key = master_key
        self._version = -1
        self._keys: list[SigningKey] = []
        self._is_locked = False
        self._active: SigningKey | None = None
        self._active_until = 0
        self._sealed: bytes | None = None
        self._signer: Signer | None = None

    def signer(self, now: int, version: int) -> Signer:
        """Return the signer of the key that is active at ``now`` (UTC seconds).

        ``version`` is the version of the last change to a signing key: another than the one held, and the keys are
        read again. Raises RegistryUnavailable when no key is active or issuing is locked, ConfigurationError for
        another master key.
        """
        if version != self._version or now >= self._active_until:
            self._read(now)
        if self._signer is None:
            if self._is_locked:
                raise RegistryUnavailable(_LOCKED)
            if self._active is None:
                raise RegistryUnavailable("the registry holds no active signing key")
            self._signer = self._open(self._active)
        return self._signer

    def current_signer(self, now: int) -> Signer:
        """Return the signer of the key that is active at ``now`` (UTC seconds), as the registry is at this moment."""
        return self.signer(now, self._current_version())

    def jwks(self, now: int) -> bytes:
        """Return the JWK Set (RFC 7517 section 5) of ``now`` (UTC seconds), as the registry is at this moment."""
        if self._current_version() != self._version:
            self._read(now)
        return b'{"keys":[%s]}' % b",".join(key.public_jwk.encode() for key in self._keys if key.is_published(now))

    def _current_version(self) -> int:
        with self._registry.view() as view:
            return signing_keys_version(view)

    def _read(self, now: int) -> None:
        # In one view: a key that another process revokes meanwhile is either whole in it or not there.
        with self._registry.view() as view:
            self._keys = list_signing_keys(view)
            self._version = signing_keys_version(view)
            self._is_locked = issuing_locked_at(view) is not None
            self._active = active_key(self._keys, now)
            self._sealed = None if self._active is None else sealed_private_key(view, self._active.kid)
        self._active_until = 0 if self._active is None else self._active.signs_until or _NEVER
        self._signer = None

    def _open(self, key: SigningKey) -> Signer:
        if self._sealed is None:
            raise RegistryUnavailable(f"the private half of the signing key {key.kid} has been erased")
        private_key = self._master_key.open(key.kid, self._sealed)
        return Signer(key.kid, key.algorithm, load_signature_function(key.algorithm, private_key))
