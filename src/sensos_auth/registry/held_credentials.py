"""Credentials that a node on PostgreSQL has read, for as long as its lease says that they stand."""

from collections.abc import Callable
from typing import Final, NamedTuple

from sensos_auth.registry.credentials import Credential, NotHeld
from sensos_auth.registry.lease import LEASE, Lease

# Some 900 bytes each. What is asked for again and again stays; the rest goes when as many others have come.
MOST_HELD: Final = 20_000
# Digests of no secret: whoever invents them must not push out those of others.
MOST_UNKNOWN: Final = 4_000
# What the lease calls the making of secrets, which turns an unknown digest into a known one.
NEW_SECRETS: Final = "new secrets"


class _Held(NamedTuple):
    """What was read, the registry version it is of, and until when that alone is good enough."""

    credential: Credential | None
    version: int
    until: float


class HeldCredentials:
    """A :class:`~sensos_auth.registry.credentials.CredentialReader` over memory. Used by one thread.

    ``clock`` returns the seconds that the lease counts.
    """

    def __init__(self, lease: Lease, clock: Callable[[], float], *, most: int = MOST_HELD) -> None:
        self._lease = lease
        self._clock = clock
        self._known = _Recent(most)
        self._unknown = _Recent(MOST_UNKNOWN)
        self._good_until = 0.0

    def find(self, digest: bytes) -> Credential | None:
        """Return what is known of the secret with this digest, or None; raises NotHeld."""
        held = self._known.get(digest) or self._unknown.get(digest)
        if held is None:
            raise NotHeld
        credential, read_at, until = held
        confirmed = self._lease.confirmed
        now = self._clock()
        if self._has_changed(credential, read_at):
            raise NotHeld
        if now < confirmed.until and read_at <= confirmed.version:
            self._good_until = confirmed.until
            if credential is None:
                return None
            # It stands unchanged at the version that was confirmed last. Not _replace(), which takes thrice the time.
            return Credential._make((*credential[:-2], confirmed.version, confirmed.signing_keys_version))
        if now < until:
            self._good_until = until
            return credential
        raise NotHeld

    def _has_changed(self, credential: Credential | None, read_at: int) -> bool:
        if credential is None:
            return self._lease.has_changed(read_at, NEW_SECRETS)
        return self._lease.has_changed(read_at, credential.application_id, credential.tenant_id, credential.secret_id)

    def check_still_good(self) -> None:
        """Raise NotHeld if what was found last is no longer good: this process was stopped for a while."""
        if self._clock() >= self._good_until:
            raise NotHeld

    def keep(self, digest: bytes, credential: Credential | None, version: int, asked_at: float) -> None:
        """Hold what was read at the registry version, by a question that was asked at ``asked_at``."""
        held = _Held(credential, version, asked_at + LEASE)
        if credential is None:
            self._known.drop(digest)
            self._unknown.put(digest, held)
        else:
            self._known.put(digest, held)


class _Recent:
    """The entries used lately: those of two generations, the older of which is let go when the younger is full."""

    def __init__(self, most: int) -> None:
        self._half = most // 2
        self._younger: dict[bytes, _Held] = {}
        self._older: dict[bytes, _Held] = {}

    def get(self, digest: bytes) -> _Held | None:
        held = self._younger.get(digest)
        if held is None:
            held = self._older.get(digest)
            if held is not None:
                self.put(digest, held)
        return held

    def put(self, digest: bytes, held: _Held) -> None:
        if len(self._younger) >= self._half:
            self._older = self._younger
            self._younger = {}
        self._younger[digest] = held

    def drop(self, digest: bytes) -> None:
        self._younger.pop(digest, None)
        self._older.pop(digest, None)
