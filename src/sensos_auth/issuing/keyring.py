"""The signing keys as a worker holds them: read again when they changed, opened when they sign."""

from sensos_auth.issuing.key_pair import load_signature_function
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.minting import Signer
from sensos_auth.issuing.stored_keys import KeyStore, StoredKeys
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.model.signing_key import SigningKey, active_key

_NEVER = 1 << 62
_NONE = StoredKeys(-1, [], {}, is_locked=False)
_LOCKED = (
    "issuing is locked since a backup was restored: take away again what was taken away after it was made, then run "
    "sensos-auth issuing unlock"
)


class KeysNotReadYet(RegistryUnavailable):
    """The signing keys have changed, and the store will have read them in a moment."""

    def __init__(self) -> None:
        super().__init__("the signing keys have changed and are not read yet")


class Keyring:
    """Holds the keys of one store in memory. Used by one thread at a time."""

    def __init__(self, store: KeyStore, master_key: MasterKey) -> None:
        self._store = store
        self._master_key = master_key
        self._stored = _NONE
        self._active_until = 0
        self._signer: Signer | None = None

    def signer(self, now: int, version: int) -> Signer:
        """Return the signer of the key that is active at ``now`` (UTC seconds).

        ``version`` is the version of the last change to a signing key: another than the one held, and the keys are
        read again. Raises RegistryUnavailable when no key is active or issuing is locked, KeysNotReadYet when the store
        is behind that version; ConfigurationError for another master key.
        """
        if version != self._stored.version or now >= self._active_until:
            self._take(now)
            if self._stored.version < version:
                raise KeysNotReadYet
        if self._signer is None:
            active = active_key(self._stored.keys, now)
            if self._stored.is_locked:
                raise RegistryUnavailable(_LOCKED)
            if active is None:
                raise RegistryUnavailable("the registry holds no active signing key")
            self._signer = self._open(active)
        return self._signer

    def current_signer(self, now: int) -> Signer:
        """Return the signer of the key that is active at ``now`` (UTC seconds), as the store has it at this moment."""
        return self.signer(now, self._store.version())

    def jwks(self, now: int) -> bytes:
        """Return the JWK Set (RFC 7517 section 5) of ``now`` (UTC seconds), as the store has it at this moment."""
        if self._store.version() != self._stored.version:
            self._take(now)
        published = (key.public_jwk.encode() for key in self._stored.keys if key.is_published(now))
        return b'{"keys":[%s]}' % b",".join(published)

    def _take(self, now: int) -> None:
        # All in one piece: a key that another process revokes meanwhile is either whole in it or not there.
        self._stored = self._store.read()
        active = active_key(self._stored.keys, now)
        self._active_until = 0 if active is None else active.signs_until or _NEVER
        self._signer = None

    def _open(self, key: SigningKey) -> Signer:
        sealed = self._stored.sealed.get(key.kid)
        if sealed is None:
            raise RegistryUnavailable(f"the private half of the signing key {key.kid} has been erased")
        private_key = self._master_key.open(key.kid, sealed)
        return Signer(key.kid, key.algorithm, load_signature_function(key.algorithm, private_key))
