"""The read that every token request makes: from the digest of a secret to all that decides about it."""

from typing import Any, NamedTuple, Protocol

import apsw

from sensos_auth.registry.primary import check_primary
from sensos_auth.registry.program_age import check_program
from sensos_auth.registry.sqlite import SqliteDatabase, explain
from sensos_auth.registry.statements import load_statements
from sensos_auth.registry.transactions import View


class Credential(NamedTuple):
    """What the registry says of one secret, its application and its tenant, in one snapshot.

    Times are UTC seconds. ``withdrawn_at`` is when the secret was revoked, or else its application or its tenant was
    disabled; ``None`` while nothing of the kind holds. ``lifetime`` is in seconds; it and ``audience`` are ``None``
    where the deployment decides. ``version`` is the registry version of the snapshot, ``signing_keys_version`` that of
    the last change to a signing key.
    """

    secret_id: str
    application_id: str
    tenant_id: str
    expires_at: int | None
    withdrawn_at: int | None
    scope: str
    lifetime: int | None
    audience: str | None
    version: int
    signing_keys_version: int


class NotHeld(Exception):
    """The credential must be read first; or it was, so long ago that it may no longer stand."""


class CredentialReader(Protocol):
    """Finds credentials for the token endpoint."""

    def find(self, digest: bytes) -> Credential | None:
        """Return what is known of the secret with this digest as of now, or None.

        Raises RegistryUnavailable; NotHeld where it is for the caller to fetch it.
        """

    def check_still_good(self) -> None:
        """Raise NotHeld if what was found last can't be gone by any more."""


def find_credential(view: View, digest: bytes) -> Credential | None:
    """Return what is known of the secret with this digest, or None."""
    return _known(view.statements.credential(view.connection, digest=digest))


class ReadTogether(NamedTuple):
    """What several digests were found to be, in the order of the question, and the registry version that it is of."""

    credentials: list[Credential | None]
    version: int


def find_credentials(view: View, digests: list[bytes]) -> ReadTogether:
    """Return what is known of the secrets with these digests, all in one snapshot. For PostgreSQL.

    Raises ProgramTooOld, and RegistryUnavailable when it was no primary that answered.
    """
    rows = list(view.statements.credentials(view.connection, digests=digests))
    *_, version, _, oldest_program, is_standby = rows[0]
    check_primary(is_standby=is_standby)
    check_program(oldest_program)
    return ReadTogether([_known(row[:-2]) for row in rows], version)


class SqliteCredentialReader:
    """Asks SQLite on every request: one prepared statement, nothing cached, so nothing to invalidate."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._cursor = database.connection.cursor()
        self._path = database.path
        self._statement: str = load_statements("apsw").credential.sql

    def find(self, digest: bytes) -> Credential | None:
        """Return what the registry says at this moment; raises RegistryUnavailable."""
        try:  # not engine_errors, which takes a microsecond
            # fetchall() reads to the end: a statement left unfinished would hold its snapshot until the next request.
            rows = self._cursor.execute(self._statement, (digest,)).fetchall()
        except apsw.Error as error:
            explained = explain(error, self._path)
            if explained is None:
                raise
            raise explained from error
        return _known(rows[0] if rows else None)

    def check_still_good(self) -> None:
        """Do nothing: it is as good as this process, which a paused one can't tell on SQLite either."""


def _known(row: tuple[Any, ...] | None) -> Credential | None:
    """Return the row of the statement ``credential``, unless it is that of another secret, found in place of a miss."""
    if row is None:
        return None
    credential = Credential._make(row)
    return credential if credential.secret_id else None
