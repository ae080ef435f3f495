"""Application secrets: make (several can be valid at once), list, revoke."""

from typing import NamedTuple

from sensos_auth.model.application_secret import Secret, digest, new_secret
from sensos_auth.model.errors import InvalidInput, NotFound
from sensos_auth.model.identifiers import is_identifier, new_secret_id
from sensos_auth.model.revocation import RevocationKind
from sensos_auth.registry.applications import get_application
from sensos_auth.registry.revocations import void_tokens
from sensos_auth.registry.transactions import Change, View

_LONGEST_EXPIRY = 100 * 365 * 86_400


class NewSecret(NamedTuple):
    """What is kept of a secret, and the secret as it is shown, once. Its representation hides the latter."""

    kept: Secret
    shown: str

    def __repr__(self) -> str:
        return f"NewSecret(kept={self.kept!r})"


def create_secret(change: Change, *, application_id: str, expires_in: int | None = None) -> NewSecret:
    """Make a secret and return what is kept of it, and the secret itself: the only time it is ever seen.

    ``expires_in`` is in seconds; ``None`` never expires. Raises NotFound, InvalidInput.
    """
    application = get_application(change, application_id)
    if expires_in is not None and not 1 <= expires_in <= _LONGEST_EXPIRY:
        raise InvalidInput(f"a secret expires in a whole number of seconds from 1 to {_LONGEST_EXPIRY}")
    shown = new_secret()
    secret = Secret(
        secret_id=new_secret_id(),
        application_id=application_id,
        created_at=change.now,
        expires_at=None if expires_in is None else change.now + expires_in,
        revoked_at=None,
    )
    change.statements.insert_secret(
        change.connection,
        digest=digest(shown),
        secret_id=secret.secret_id,
        application_id=application_id,
        created_at=secret.created_at,
        created_version=change.version,
        expires_at=secret.expires_at,
    )
    change.record(
        "secret.created",
        secret.secret_id,
        tenant_id=application.tenant_id,
        application_id=application_id,
        expires_at=secret.expires_at,
    )
    return NewSecret(secret, shown)


def get_secret(view: View, secret_id: str) -> Secret:
    """Return what is kept of the secret; raises NotFound."""
    row = view.statements.secret(view.connection, secret_id=secret_id) if is_identifier(secret_id) else None
    if row is None:
        raise NotFound(f"there is no secret {secret_id}")
    return Secret(*row)


def list_secrets(view: View, application_id: str, *, after: str | None = None, limit: int = 100) -> list[Secret]:
    """Return up to ``limit`` secrets of the application in the order of their creation, those after ``after``.

    Raises NotFound when there is no application ``application_id`` or no secret ``after``.
    """
    get_application(view, application_id)
    if after is not None:
        get_secret(view, after)
    rows = view.statements.secrets(view.connection, application_id=application_id, after=after or "", limit=limit)
    return [Secret(*row) for row in rows]


def revoke_secret(change: Change, secret_id: str, *, with_tokens: bool = False) -> Secret:
    """Refuse the secret from now on, for ever; ``with_tokens``, also the tokens that were obtained with it.

    Revoking twice changes nothing, but the tokens can be voided later than the secret. Raises NotFound.
    """
    secret = get_secret(change, secret_id)
    if secret.revoked_at is None:
        change.statements.set_secret_revoked(change.connection, secret_id=secret_id, revoked_at=change.now)
    if with_tokens:
        void_tokens(change, RevocationKind.CREDENTIAL, secret_id)
    application = get_application(change, secret.application_id)
    change.record(
        "secret.revoked",
        secret_id,
        tenant_id=application.tenant_id,
        application_id=application.application_id,
        tokens="void" if with_tokens else None,
    )
    return get_secret(change, secret_id)
