"""Application secrets: make (several can be valid at once), list, change, rotate, revoke."""

from dataclasses import replace
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from sensos_auth.model.application_secret import Secret, checked_label, digest, new_secret
from sensos_auth.model.errors import Conflict, InvalidInput, NotFound
from sensos_auth.model.identifiers import is_identifier, new_secret_id
from sensos_auth.model.revocation import RevocationKind
from sensos_auth.registry.applications import get_application
from sensos_auth.registry.revocations import void_tokens
from sensos_auth.registry.transactions import Change, View

# Of an application at the same time: a rotation writes an event for each of them.
MOST_GOOD_SECRETS = 500
_LONGEST_EXPIRY = 100 * 365 * 86_400


class NewSecret(NamedTuple):
    """What is kept of a secret, and the secret as it is shown, once. Its representation hides the latter."""

    kept: Secret
    shown: str

    def __repr__(self) -> str:
        return f"NewSecret(kept={self.kept!r})"


class Rotation(NamedTuple):
    """A new secret, and those that end because of it."""

    new: NewSecret
    ending: list[Secret]


def create_secret(change: Change, *, application_id: str, expires_in: int | None = None, label: str = "") -> NewSecret:
    """Make a secret and return what is kept of it, and the secret itself: the only time it is ever seen.

    ``expires_in`` is in seconds; ``None`` never expires. ``label`` is for people. Raises NotFound, InvalidInput;
    Conflict where 500 are good already.
    """
    application = get_application(change, application_id)
    if (
        change.statements.count_usable_secrets(change.connection, application_id=application_id, now=change.now)
        >= MOST_GOOD_SECRETS
    ):
        raise Conflict(f"the application has {MOST_GOOD_SECRETS} good secrets: revoke those that are not used")
    if expires_in is not None:
        _check_seconds(expires_in)
    shown = new_secret()
    secret = Secret(
        secret_id=new_secret_id(),
        application_id=application_id,
        tenant_id=application.tenant_id,
        label=checked_label(label),
        created_at=change.now,
        expires_at=None if expires_in is None else change.now + expires_in,
        revoked_at=None,
        retire_unused_for=None,
        retire_unused_from=None,
        changed_version=change.version,
    )
    change.statements.insert_secret(
        change.connection,
        digest=digest(shown),
        secret_id=secret.secret_id,
        application_id=application_id,
        label=secret.label,
        created_at=secret.created_at,
        created_version=change.version,
        expires_at=secret.expires_at,
    )
    change.record(
        "secret.created",
        secret.secret_id,
        tenant_id=application.tenant_id,
        application_id=application_id,
        label=secret.label or None,
        expires_at=secret.expires_at,
    )
    return NewSecret(secret, shown)


def get_secret(view: View, secret_id: str) -> Secret:
    """Return what is kept of the secret; raises NotFound."""
    row = view.statements.secret(view.connection, secret_id=secret_id) if is_identifier(secret_id) else None
    if row is None:
        raise NotFound(f"there is no secret {secret_id}")
    return Secret(*row)


def count_secrets(view: View, application_id: str) -> int:
    """Return how many secrets the application has, revoked and expired ones among them."""
    return int(view.statements.count_secrets(view.connection, application_id=application_id))


def list_secrets(view: View, application_id: str, *, after: str | None = None, limit: int = 100) -> list[Secret]:
    """Return up to ``limit`` secrets of the application in the order of their creation, those after ``after``.

    Raises NotFound when there is no application ``application_id`` or no secret ``after``.
    """
    get_application(view, application_id)
    if after is not None:
        get_secret(view, after)
    rows = view.statements.secrets(view.connection, application_id=application_id, after=after or "", limit=limit)
    return [Secret(*row) for row in rows]


def change_secret(
    change: Change,
    secret_id: str,
    *,
    label: str | UnsetType = UNSET,
    expires_at: int | UnsetType | None = UNSET,
    retire_unused_for: int | UnsetType | None = UNSET,
) -> Secret:
    """Change what is given, and leave the rest.

    ``expires_at`` is in UTC seconds, and in the future: :func:`revoke_secret` ends a secret now. A secret that was not
    used for ``retire_unused_for`` seconds from now on is revoked by itself. ``None`` is never for both. Raises
    NotFound, InvalidInput; Conflict for a secret that is revoked or has expired.
    """
    secret = get_secret(change, secret_id)
    state = secret.state(change.now)
    if state != "active":
        raise Conflict(f"the secret {secret_id} is {state} and stays so: make a new one")
    if not isinstance(label, UnsetType):
        secret = replace(secret, label=checked_label(label))
    if not isinstance(expires_at, UnsetType):
        if expires_at is not None:
            _check_seconds(expires_at - change.now)
        secret = replace(secret, expires_at=expires_at)
    if not isinstance(retire_unused_for, UnsetType):
        secret = _retiring(secret, retire_unused_for, change.now)
    _write(change, secret, "secret.changed", label=secret.label or None)
    return get_secret(change, secret_id)


def rotate_secret(
    change: Change,
    *,
    application_id: str,
    old_end_in: int | None = None,
    retire_old_unused_for: int | None = None,
    expires_in: int | None = None,
    label: str = "",
) -> Rotation:
    """Make a new secret now, and set an end to the others that are good: an overlap in which both are.

    The old ones end ``old_end_in`` seconds from now (or before, where that is set already; ``None`` leaves their end as
    it is), and as soon as they were not used for ``retire_old_unused_for`` seconds (``None``: not for that). Raises
    NotFound, InvalidInput; Conflict where 500 are good already.
    """
    get_application(change, application_id)
    rows = change.statements.usable_secrets(change.connection, application_id=application_id, now=change.now)
    old = [Secret(*row) for row in rows]
    new = create_secret(change, application_id=application_id, expires_in=expires_in, label=label)
    ends_at = None
    if old_end_in is not None:
        _check_seconds(old_end_in)
        ends_at = change.now + old_end_in
    for secret in old:
        ending = secret
        if ends_at is not None and (secret.expires_at is None or ends_at < secret.expires_at):
            ending = replace(ending, expires_at=ends_at)
        if retire_old_unused_for is not None:
            ending = _retiring(ending, retire_old_unused_for, change.now)
        if ending != secret:
            _write(change, ending, "secret.rotated", successor=new.kept.secret_id)
    return Rotation(new, [get_secret(change, secret.secret_id) for secret in old])


def revoke_secret(change: Change, secret_id: str, *, with_tokens: bool = False) -> Secret:
    """Refuse the secret from now on, for ever; ``with_tokens``, also the tokens that were obtained with it.

    Revoking twice changes nothing, but the tokens can be voided later than the secret. Raises NotFound.
    """
    secret = get_secret(change, secret_id)
    if with_tokens:
        void_tokens(change, RevocationKind.CREDENTIAL, secret_id)
    secret = replace(secret, revoked_at=secret.revoked_at or change.now)
    _write(change, secret, "secret.revoked", tokens="void" if with_tokens else None)
    return get_secret(change, secret_id)


def _retiring(secret: Secret, unused_for: int | None, now: int) -> Secret:
    if unused_for is not None:
        _check_seconds(unused_for)
    return replace(secret, retire_unused_for=unused_for, retire_unused_from=None if unused_for is None else now)


def _check_seconds(seconds: int) -> None:
    if not 1 <= seconds <= _LONGEST_EXPIRY:
        raise InvalidInput(f"a secret ends in a whole number of seconds from 1 to {_LONGEST_EXPIRY}")


def _write(change: Change, secret: Secret, action: str, **details: str | int | None) -> None:
    change.statements.write_secret(
        change.connection,
        secret_id=secret.secret_id,
        label=secret.label,
        expires_at=secret.expires_at,
        revoked_at=secret.revoked_at,
        retire_unused_for=secret.retire_unused_for,
        retire_unused_from=secret.retire_unused_from,
        version=change.version,
    )
    change.record(
        action,
        secret.secret_id,
        tenant_id=secret.tenant_id,
        application_id=secret.application_id,
        expires_at=secret.expires_at,
        retire_unused_for=secret.retire_unused_for,
        **details,
    )
