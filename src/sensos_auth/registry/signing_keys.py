"""Signing keys as they are stored: public half, schedule, and the sealed private half."""

from collections.abc import Sequence
from dataclasses import replace

from sensos_auth.model.signing_key import SigningKey
from sensos_auth.registry.program_age import check_program
from sensos_auth.registry.revocations import void_signing_key
from sensos_auth.registry.transactions import Change, View


def list_signing_keys(view: View) -> list[SigningKey]:
    """Return all signing keys ever made, in the order in which they sign."""
    rows = view.statements.signing_keys(view.connection)
    # The engines differ in how they say "true".
    return [replace(key, has_private_key=bool(key.has_private_key)) for key in (SigningKey(*row) for row in rows)]


def signing_keys_version(view: View) -> int:
    """Return the registry version of the last change to a signing key; raises ProgramTooOld."""
    _, version, oldest_program = view.statements.clock(view.connection)
    check_program(oldest_program)
    return int(version)


def sealed_private_key(view: View, kid: str) -> bytes | None:
    """Return the encrypted private half, or None where it has been erased."""
    sealed: bytes | None = view.statements.sealed_private_key(view.connection, kid=kid)
    return sealed


def add_signing_key(change: Change, key: SigningKey, sealed: bytes) -> None:
    """Store a new key as the last in line; its predecessor must have been scheduled to end before."""
    change.statements.insert_signing_key(
        change.connection,
        kid=key.kid,
        algorithm=key.algorithm,
        public_jwk=key.public_jwk,
        sealed_private_key=sealed,
        created_at=key.created_at,
        created_version=change.version,
        signs_from=key.signs_from,
    )
    change.record("signing_key.published", key.kid, algorithm=key.algorithm, signs_from=key.signs_from)
    _mark_changed(change)


def schedule_signing_key(change: Change, kid: str, *, signs_from: int, signs_until: int | None) -> None:
    """Set when the key signs, in UTC seconds; ``None`` until a successor takes over."""
    change.statements.schedule_signing_key(change.connection, kid=kid, signs_from=signs_from, signs_until=signs_until)
    change.record("signing_key.scheduled", kid, signs_from=signs_from, signs_until=signs_until)
    _mark_changed(change)


def mark_signing_key_revoked(change: Change, kid: str) -> None:
    """End the key for good, void whatever it signs, and erase its private half."""
    change.statements.revoke_signing_key(change.connection, kid=kid, revoked_at=change.now)
    void_signing_key(change, kid)
    change.record("signing_key.revoked", kid, tokens="void")
    _mark_changed(change)


def erase_private_keys(change: Change, kids: Sequence[str]) -> None:
    """Erase the private halves of keys that will never sign again."""
    for kid in kids:
        change.statements.erase_private_key(change.connection, kid=kid)
        change.record("signing_key.erased", kid)


def _mark_changed(change: Change) -> None:
    change.statements.mark_signing_keys_changed(change.connection, version=change.version)
