"""``/v1/applications/{applicationId}/secrets`` and ``/v1/secrets``: several are valid at once, so that they rotate."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Body, Path, Query
from pydantic import Field

from sensos_auth.model.application_secret import Secret
from sensos_auth.model.errors import NotFound
from sensos_auth.registry import View
from sensos_auth.registry import secrets as use_cases
from sensos_auth.registry.pages import cut_page
from sensos_auth.registry.retirement import retirement_advice
from sensos_auth.registry.secrets import NewSecret
from sensos_auth.server.management.applications import ApplicationId
from sensos_auth.server.management.carrying_out import Changing, Reading
from sensos_auth.server.management.grants import check_handing_out
from sensos_auth.server.management.members import Asked, Patch, Shown, UtcSeconds, WholeNumber, absent, utc_time
from sensos_auth.server.management.operations import Operations
from sensos_auth.server.management.pages import CountedPageMetadata, CountedPageQuery, bad_cursor
from sensos_auth.server.management.reach import reachable_application, reachable_secret
from sensos_auth.server.management.replies import Reply

_READ = "auth:applications:read"
_WRITE = "auth:secrets:write"
_LONGEST_END = 100 * 365 * 86_400
_ENDS_IN = "In how many seconds it stops working; `null` for never."
_UNUSED_FOR = "Revoked by itself when it was not used for so many seconds, while another one is good; `null` for never."
_KEPT = {
    "secretId": "sec_orugs4zanfzsa3tporqsa43fmm",
    "applicationId": "app_mfrggzdfmztwq2lknnwg23tpoa",
    "label": "plant 4",
    "state": "active",
    "createdAt": "2026-11-25T09:00:00Z",
    "expiresAt": "2027-02-23T09:00:00Z",
    "revokedAt": None,
    "retireUnusedFor": None,
}
_EXAMPLE = {
    **_KEPT,
    "lastUsedAt": "2026-11-25T09:10:00Z",
    "tokensExpireAt": "2026-11-25T19:10:00Z",
    "tokensAlive": 3,
    "isSafeToRetire": False,
    "retirement": "last used 5 min ago: not yet, wait until 2026-11-26T10:10:00Z",
}
_MANY = f"The application has {use_cases.MOST_GOOD_SECRETS} good secrets already."
_SHOWN_ONCE = {"applicationSecret": "sensos_sk_…"}

operations = Operations("Secrets")
_Seconds = Annotated[WholeNumber, Field(ge=1, le=_LONGEST_END)]
_Label = Annotated[
    str, Field(max_length=100, description="What people call it. Never a secret: everybody who may list it sees it.")
]
SecretId = Annotated[str, Path(alias="secretId", description="The secret, by its ID.")]


class KeptSecret(Shown):
    """What is kept of a secret: not the secret itself."""

    secret_id: str
    application_id: str
    label: str
    state: Literal["active", "expired", "revoked"]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    retire_unused_for: int | None


class SecretShown(KeptSecret):
    """What is kept of a secret, how it is used, and whether it can be revoked without disturbing anybody."""

    last_used_at: datetime | None
    tokens_expire_at: datetime | None = Field(description="When the last token that was obtained with it expires.")
    tokens_alive: int = Field(description="How many tokens that were obtained with it may not have expired.")
    is_safe_to_retire: bool
    retirement: str = Field(description="Why it is safe to revoke it, or why not, for people.")


class CreatedSecretShown(KeptSecret):
    """A secret that was just made, and is shown this once."""

    application_secret: str = Field(description="Keep it now: only its digest is stored.")

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        """Return what a representation shows: not the secret."""
        return [("secret_id", self.secret_id)]


class RotatedSecretShown(CreatedSecretShown):
    """The new secret, which is shown this once, and those that end because of it."""

    ending: list[KeptSecret]


class SecretPage(Shown):
    """A page of secrets, in the order of their creation."""

    metadata: CountedPageMetadata
    secrets: list[SecretShown]


class NewSecretAsked(Asked):
    """What a secret is made of: never the secret itself, which nobody chooses."""

    label: _Label = ""
    expires_in: _Seconds | None = Field(default=None, description=_ENDS_IN)


class SecretRotationAsked(NewSecretAsked):
    """What the new secret is made of, and when the old ones end."""

    old_end_in: _Seconds | None = Field(
        default=None, description="In how many seconds the others end; `null` leaves their end as it is."
    )
    retire_old_unused_for: _Seconds | None = Field(
        default=None,
        description="Revoke the others by themselves when they were not used for so many seconds; `null` for not.",
    )


class SecretPatch(Patch):
    """What is to be changed of a secret."""

    label: _Label | None = absent()
    expires_at: UtcSeconds | None = absent("When it stops working; `null` for never.")
    retire_unused_for: _Seconds | None = absent(_UNUSED_FOR)


class SecretRevocationAsked(Asked):
    """How far it goes."""

    with_tokens: bool = Field(default=False, description="Void the tokens that were obtained with it as well.")


_NOT_ITS_TOKENS = SecretRevocationAsked()


@operations.reads(
    "/v1/applications/{applicationId}/secrets",
    scope=_READ,
    summary="List an application's secrets",
    shown=SecretPage,
    example={"metadata": {"nextCursor": None}, "secrets": [_EXAMPLE]},
)
def list_secrets(call: Reading, application_id: ApplicationId, page: Annotated[CountedPageQuery, Query()]) -> Reply:
    """What is kept of them, and which are safe to revoke."""
    reachable_application(call.view, call.authority, application_id)
    if page.cursor is not None and not _is_of(call.view, page.cursor, application_id):
        raise bad_cursor()
    found = use_cases.list_secrets(call.view, application_id, after=page.cursor, limit=page.limit + 1)
    total = use_cases.count_secrets(call.view, application_id) if page.include_total else None
    shown, next_cursor = cut_page(found, page.limit, lambda secret: secret.secret_id)
    metadata = CountedPageMetadata(next_cursor=next_cursor, total=total)
    return Reply(SecretPage(metadata=metadata, secrets=[_shown(call.view, secret) for secret in shown]))


@operations.creates(
    "/v1/applications/{applicationId}/secrets",
    scope=_WRITE,
    summary="Make a further secret",
    shown=CreatedSecretShown,
    example=_KEPT | _SHOWN_ONCE,
    body_example={"label": "plant 4", "expiresIn": 7_776_000},
    conflict=_MANY,
)
def create_secret(call: Changing, application_id: ApplicationId, body: NewSecretAsked) -> Reply:
    """Shown this once. The others stay valid. The caller must hold all of the application's scopes."""
    check_handing_out(call.authority, reachable_application(call.change, call.authority, application_id))
    made = use_cases.create_secret(
        call.change, application_id=application_id, expires_in=body.expires_in, label=body.label
    )
    return _new_reply(CreatedSecretShown.model_validate(_new(made, call.change.now)), made)


@operations.creates(
    "/v1/applications/{applicationId}/secrets/rotate",
    scope=_WRITE,
    summary="Rotate an application's secret",
    shown=RotatedSecretShown,
    example={**_KEPT, **_SHOWN_ONCE, "ending": [{**_KEPT, "expiresAt": "2026-12-02T09:00:00Z"}]},
    body_example={"label": "plant 4", "oldEndIn": 604_800},
    conflict=_MANY,
)
def rotate_secret(call: Changing, application_id: ApplicationId, body: SecretRotationAsked) -> Reply:
    """A new secret now, and an end for the others; until then all are valid. The caller must hold all its scopes."""
    check_handing_out(call.authority, reachable_application(call.change, call.authority, application_id))
    rotation = use_cases.rotate_secret(
        call.change,
        application_id=application_id,
        old_end_in=body.old_end_in,
        retire_old_unused_for=body.retire_old_unused_for,
        expires_in=body.expires_in,
        label=body.label,
    )
    now = call.change.now
    ending = [KeptSecret.model_validate(_kept(secret, now)) for secret in rotation.ending]
    return _new_reply(RotatedSecretShown.model_validate({**_new(rotation.new, now), "ending": ending}), rotation.new)


@operations.reads(
    "/v1/secrets/{secretId}",
    scope=_READ,
    summary="Get a secret's record",
    shown=SecretShown,
    example=_EXAMPLE,
    has_version=True,
)
def get_secret(call: Reading, secret_id: SecretId) -> Reply:
    """What is kept of it, its last use, and whether it is safe to revoke it."""
    secret = reachable_secret(call.view, call.authority, secret_id)
    return Reply(_shown(call.view, secret), secret.changed_version)


@operations.changes(
    "PATCH",
    "/v1/secrets/{secretId}",
    scope=_WRITE,
    summary="Change a secret's record",
    shown=SecretShown,
    example=_EXAMPLE,
    body_example={"label": "plant 4", "expiresAt": "2027-02-23T09:00:00Z"},
    conflict="The secret is revoked or has expired, and stays so.",
)
def change_secret(call: Changing, secret_id: SecretId, body: SecretPatch) -> Reply:
    """Changes what is given. Who lets it live longer must hold all of the application's scopes."""
    secret = _seen(call, secret_id)
    if _prolongs(secret, body):
        check_handing_out(call.authority, reachable_application(call.change, call.authority, secret.application_id))
    label = body.given("label")
    changed = use_cases.change_secret(
        call.change,
        secret_id,
        label="" if label is None else label,
        expires_at=body.given("expires_at"),
        retire_unused_for=body.given("retire_unused_for"),
    )
    return Reply(_shown(call.change, changed), changed.changed_version)


@operations.changes(
    "POST",
    "/v1/secrets/{secretId}/revoke",
    scope=_WRITE,
    summary="Revoke a secret",
    shown=SecretShown,
    example={**_EXAMPLE, "state": "revoked", "revokedAt": "2026-11-25T10:00:00Z"},
    body_example={"withTokens": True},
)
def revoke_secret(
    call: Changing, secret_id: SecretId, body: Annotated[SecretRevocationAsked, Body()] = _NOT_ITS_TOKENS
) -> Reply:
    """Refuses it from now on, for ever. Revoking twice is no mistake: its tokens can be voided later."""
    _seen(call, secret_id)
    revoked = use_cases.revoke_secret(call.change, secret_id, with_tokens=body.with_tokens)
    return Reply(_shown(call.change, revoked), revoked.changed_version)


def _seen(call: Changing, secret_id: str) -> Secret:
    secret = reachable_secret(call.change, call.authority, secret_id)
    call.precondition.check(secret.changed_version)
    return secret


def _prolongs(secret: Secret, body: SecretPatch) -> bool:
    lives_longer = (
        "expires_at" in body.model_fields_set
        and secret.expires_at is not None
        and (body.expires_at is None or body.expires_at > secret.expires_at)
    )
    retires_later = "retire_unused_for" in body.model_fields_set and secret.retire_unused_for is not None
    return lives_longer or retires_later


def _is_of(view: View, secret_id: str, application_id: str) -> bool:
    try:
        return use_cases.get_secret(view, secret_id).application_id == application_id
    except NotFound:
        return False


def _new_reply(content: CreatedSecretShown, made: NewSecret) -> Reply:
    return Reply(content, made.kept.changed_version, f"/v1/secrets/{made.kept.secret_id}")


def _new(made: NewSecret, now: int) -> dict[str, object]:
    return {**_kept(made.kept, now), "application_secret": made.shown}


def _kept(secret: Secret, now: int) -> dict[str, object]:
    return {
        "secret_id": secret.secret_id,
        "application_id": secret.application_id,
        "label": secret.label,
        "state": secret.state(now),
        "created_at": utc_time(secret.created_at),
        "expires_at": utc_time(secret.expires_at),
        "revoked_at": utc_time(secret.revoked_at),
        "retire_unused_for": secret.retire_unused_for,
    }


def _shown(view: View, secret: Secret) -> SecretShown:
    advice = retirement_advice(view, secret)
    return SecretShown.model_validate(
        {
            **_kept(secret, view.now),
            "last_used_at": utc_time(advice.last_used_at),
            "tokens_expire_at": utc_time(advice.tokens_expire_at),
            "tokens_alive": advice.tokens_alive,
            "is_safe_to_retire": advice.is_safe,
            "retirement": advice.says,
        }
    )
