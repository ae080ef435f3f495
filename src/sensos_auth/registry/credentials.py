"""The read that every token request makes: from the digest of a secret to all that decides about it."""

from typing import NamedTuple, Protocol

import apsw

from sensos_auth.registry.sqlite import SqliteDatabase, explain
from sensos_auth.registry.statements import load_statements


class Credential(NamedTuple):
    """What the registry says of one secret, its application and its tenant, in one snapshot.

    Times are UTC seconds. ``lifetime`` is in seconds, ``None`` where the deployment decides. ``version`` is the
    registry version of the snapshot, ``signing_keys_version`` that of the last change to a signing key.
    """

    secret_id: str
    application_id: str
    tenant_id: str
    expires_at: int | None
    revoked_at: int | None
    application_disabled_at: int | None
    tenant_disabled_at: int | None
    scope: str
    lifetime: int | None
    version: int
    signing_keys_version: int


class CredentialReader(Protocol):
    """Finds credentials for the token endpoint."""

    def find(self, digest: bytes) -> Credential | None:
        """Return what is known of the secret with this digest as of now, or None. Raises RegistryUnavailable."""


class SqliteCredentialReader:
    """Asks SQLite on every request: one prepared statement, nothing cached, so nothing to invalidate."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._connection = database.connection
        self._path = database.path
        self._statement: str = load_statements("apsw").credential.sql

    def find(self, digest: bytes) -> Credential | None:
        """Return what the registry says at this moment; raises RegistryUnavailable."""
        try:
            row = self._connection.execute(self._statement, {"digest": digest}).fetchone()
        except apsw.Error as error:
            explained = explain(error, self._path)
            if explained is None:
                raise
            raise explained from error
        return None if row is None else Credential._make(row)
