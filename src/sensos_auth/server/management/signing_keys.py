"""``/v1/signing-keys``: they rotate by themselves; this is for looking, and for emergencies. For operators."""

from datetime import datetime
from typing import Annotated

from fastapi import Body, Path, Query
from pydantic import Field

from sensos_auth.issuing import key_rotation
from sensos_auth.model.signing_key import KeyState, SigningKey
from sensos_auth.registry.pages import cut_page
from sensos_auth.registry.signing_keys import list_signing_keys as all_signing_keys
from sensos_auth.server.management.authority import OPERATOR
from sensos_auth.server.management.carrying_out import OwnChange, Reading
from sensos_auth.server.management.members import Asked, Shown, utc_time
from sensos_auth.server.management.operations import Kind, Operations
from sensos_auth.server.management.pages import CountedPageMetadata, CountedPageQuery, bad_cursor
from sensos_auth.server.management.replies import Reply

_READ = f"auth:keys:read {OPERATOR}"
_WRITE = f"auth:keys:write {OPERATOR}"
_EXAMPLE = {
    "kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
    "algorithm": "ES256",
    "state": "active",
    "createdAt": "2026-11-23T09:00:00Z",
    "signsFrom": "2026-11-25T09:00:00Z",
    "signsUntil": None,
    "publishedUntil": None,
    "revokedAt": None,
}

operations = Operations("Signing keys")
KeyId = Annotated[str, Path(alias="kid", description="The key ID.")]


class SigningKeyShown(Shown):
    """A signing key and its schedule."""

    kid: str
    algorithm: str
    state: KeyState
    created_at: datetime
    signs_from: datetime
    signs_until: datetime | None = Field(description="`null` until its successor is published.")
    published_until: datetime | None = Field(description="When the JWKS stops listing it.")
    revoked_at: datetime | None


class SigningKeyPage(Shown):
    """A page of signing keys, in the order in which they sign."""

    metadata: CountedPageMetadata
    signing_keys: list[SigningKeyShown]


class KeyRotationAsked(Asked):
    """How soon."""

    immediately: bool = Field(
        default=False,
        description="For emergencies: verifiers that have not fetched the new key refuse its tokens until they have.",
    )


_IN_TIME = KeyRotationAsked()


@operations.reads(
    "/v1/signing-keys",
    scope=_READ,
    summary="List signing keys",
    shown=SigningKeyPage,
    example={"metadata": {"nextCursor": None}, "signingKeys": [_EXAMPLE]},
)
def list_signing_keys(call: Reading, page: Annotated[CountedPageQuery, Query()]) -> Reply:
    """Present and past ones. Their public halves are in the JWKS. For operators."""
    found = all_signing_keys(call.view)
    total = len(found) if page.include_total else None
    if page.cursor is not None:
        kids = [key.kid for key in found]
        if page.cursor not in kids:
            raise bad_cursor()
        found = found[kids.index(page.cursor) + 1 :]
    shown, next_cursor = cut_page(found, page.limit, lambda key: key.kid)
    metadata = CountedPageMetadata(next_cursor=next_cursor, total=total)
    return Reply(SigningKeyPage(metadata=metadata, signing_keys=[_shown(key, call.view.now) for key in shown]))


@operations.changes(
    "POST",
    "/v1/signing-keys/rotate",
    scope=_WRITE,
    summary="Rotate the signing key",
    shown=SigningKeyShown,
    example={**_EXAMPLE, "state": "upcoming"},
    body_example={"immediately": False},
    conflict="A rotation is under way already.",
    has_version=False,
    kind=Kind.OPENING_ITS_OWN_CHANGE,
)
def rotate_signing_key(call: OwnChange, body: Annotated[KeyRotationAsked, Body()] = _IN_TIME) -> Reply:
    """The next key takes over in 48 hours, by when every verifier knows it; or immediately. For operators."""
    deployment = call.deployment
    key = key_rotation.rotate(
        call.registry,
        deployment.master_key,
        deployment.algorithm,
        actor=call.authority.actor,
        immediately=body.immediately,
        permit=call.authority.check_still_stands,
    )
    return _reply(call, key)


@operations.changes(
    "POST",
    "/v1/signing-keys/{kid}/revoke",
    scope=_WRITE,
    summary="Revoke a signing key",
    shown=SigningKeyShown,
    example={**_EXAMPLE, "state": "revoked", "revokedAt": "2026-11-25T10:00:00Z"},
    conflict="The key is revoked already.",
    has_version=False,
    kind=Kind.OPENING_ITS_OWN_CHANGE,
)
def revoke_signing_key(call: OwnChange, kid: KeyId) -> Reply:
    """Ends it at once, with every token that it signed; another one signs where it was the active one. For operators.

    The caller's own token may be among those.
    """
    deployment = call.deployment
    key = key_rotation.revoke(
        call.registry,
        deployment.master_key,
        deployment.algorithm,
        kid,
        actor=call.authority.actor,
        permit=call.authority.check_still_stands,
    )
    return _reply(call, key)


def _reply(call: OwnChange, key: SigningKey) -> Reply:
    with call.registry.view() as view:
        return Reply(_shown(key, view.now))


def _shown(key: SigningKey, now: int) -> SigningKeyShown:
    return SigningKeyShown(
        kid=key.kid,
        algorithm=key.algorithm,
        state=key.state(now),
        created_at=utc_time(key.created_at),
        signs_from=utc_time(key.signs_from),
        signs_until=utc_time(key.signs_until),
        published_until=utc_time(key.published_until),
        revoked_at=utc_time(key.revoked_at),
    )
