"""What a worker asks of the registry while a request waits, and where the answers come from.

From the file, at every request, on SQLite. On PostgreSQL from memory, as far as a lease says that it still stands; what
is not there is fetched, and the request waits for it without holding up any other.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from sensos_auth.issuing.stored_keys import KeysInRegistry, KeyStore
from sensos_auth.registry import Registry
from sensos_auth.registry.credentials import CredentialReader, SqliteCredentialReader
from sensos_auth.registry.database import Database
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.server.registry_revocations import RegistryRevocations
from sensos_auth.verifying.revocations import Revocations


class Part(Protocol):
    """What runs beside the event loop, from the worker's start to its end."""

    def start(self) -> None:
        """Begin, in the running event loop."""

    def close(self) -> None:
        """End."""


class AtHand(NamedTuple):
    """Where credentials, signing keys and revocations come from.

    ``fetch`` gets a credential, by its digest, that the reader does not hold; it is None for a reader that holds none.
    ``check_ready`` raises RegistryUnavailable when the registry is out of reach. ``version`` returns the registry
    version that was heard of last, or raises RegistryUnavailable when that was long ago; it is None where nobody
    listens.
    """

    credentials: CredentialReader
    fetch: Callable[[bytes], Awaitable[None]] | None
    keys: KeyStore
    revocations: Revocations
    check_ready: Callable[[], None]
    version: Callable[[], int] | None
    parts: tuple[Part, ...]


def at_hand(registry: Registry, issuer: str) -> AtHand:
    """Return what is at hand of the registry, for the thread of the event loop. ``issuer`` is that of the tokens."""
    if isinstance(registry.database, SqliteDatabase):
        return _in_file(registry, registry.database)
    return _in_memory(registry, registry.database, issuer)


def _in_file(registry: Registry, database: SqliteDatabase) -> AtHand:
    return AtHand(
        credentials=SqliteCredentialReader(database),
        fetch=None,
        keys=KeysInRegistry(registry),
        revocations=RegistryRevocations(registry),
        check_ready=lambda: None,  # reading the keys shows it
        version=None,
        parts=(),
    )


def _in_memory(registry: Registry, database: Database, issuer: str) -> AtHand:
    # Imported here, so that a service on SQLite needs no driver of PostgreSQL.
    from sensos_auth.registry.held_credentials import HeldCredentials  # noqa: PLC0415
    from sensos_auth.registry.postgresql import PostgresqlDatabase  # noqa: PLC0415
    from sensos_auth.server.credential_fetching import CredentialFetching  # noqa: PLC0415
    from sensos_auth.server.registry_follower import FollowedRegistry  # noqa: PLC0415
    from sensos_auth.verifying.boot_clock import seconds_since_boot  # noqa: PLC0415

    assert isinstance(database, PostgresqlDatabase)
    followed = FollowedRegistry(database.url, issuer, registry.another)
    held = HeldCredentials(followed.lease, seconds_since_boot)
    fetching = CredentialFetching(database.url, held)
    return AtHand(
        credentials=held,
        fetch=fetching.fetch,
        keys=followed.keys,
        revocations=followed.revocations,
        check_ready=followed.check_ready,
        version=followed.version,
        parts=(followed, fetching),
    )
