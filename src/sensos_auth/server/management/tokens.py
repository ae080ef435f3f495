"""``/v1/tokens/revoke``: one access token is refused from now on."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, WithJsonSchema

from sensos_auth.model.errors import InvalidInput, NotFound
from sensos_auth.registry.revocations import revoke_token as void_token
from sensos_auth.server.issued_token import token_subject
from sensos_auth.server.management.authority import OPERATOR
from sensos_auth.server.management.carrying_out import Changing
from sensos_auth.server.management.members import Asked, Shown, absent, utc_time
from sensos_auth.server.management.operations import Operations
from sensos_auth.server.management.replies import Reply

_EXAMPLE = {
    "tokenId": "Zb4mPYw0cQy1n1t9gVQkUw",
    "state": "revoked",
    "tenantId": "ten_ga2tqnbygu3tmobzha4tsojqgy",
    "applicationId": "app_mfrggzdfmztwq2lknnwg23tpoa",
    "expiresAt": "2026-11-25T19:00:00Z",
}

operations = Operations("Access tokens")


class RevokedTokenShown(Shown):
    """A token that was revoked. Of one that was named by its ID, no more is known."""

    token_id: str
    state: Literal["revoked"]
    tenant_id: str | None
    application_id: str | None
    expires_at: datetime | None


_Text = Annotated[str | None, WithJsonSchema({"type": "string"})]


class RevocableTokenAsked(Asked):
    """Which token: one of the two."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["accessToken"]}, {"required": ["tokenId"]}]})

    access_token: _Text = absent("The token itself, of the caller's tenant.")
    token_id: _Text = absent("Its claim `jti`, for who has no more of it. For operators.")

    def __repr__(self) -> str:
        """Return a representation that does not show the token."""
        return "RevocableTokenAsked(…)"


@operations.changes(
    "POST",
    "/v1/tokens/revoke",
    scope="auth:revocations:write",
    summary="Revoke an access token",
    shown=RevokedTokenShown,
    example=_EXAMPLE,
    body_example={"accessToken": "eyJhbGciOiJFUzI1NiIs…"},
    has_version=False,
)
def revoke_token(call: Changing, body: RevocableTokenAsked) -> Reply:
    """Every verifier refuses it within a second. Its application gets a new one with its next request.

    Whoever signed it is looked at; a token that is not the caller's tenant's gets 404, as one that nobody knows.
    """
    if (body.access_token is None) == (body.token_id is None):
        raise InvalidInput("Send either accessToken or tokenId")
    if body.token_id is not None:
        call.authority.need(OPERATOR)
        void_token(call.change, body.token_id)
        return Reply(
            RevokedTokenShown(
                token_id=body.token_id, state="revoked", tenant_id=None, application_id=None, expires_at=None
            )
        )
    try:
        subject = token_subject(body.access_token or "", call.change, call.deployment.tokens.issuer)
    except InvalidInput:
        raise NotFound("no token of ours") from None
    if not call.authority.reaches(subject.tenant_id):
        raise NotFound("out of reach")
    void_token(
        call.change,
        subject.token_id,
        expires_at=subject.expires_at,
        tenant_id=subject.tenant_id,
        application_id=subject.application_id,
    )
    return Reply(
        RevokedTokenShown(
            token_id=subject.token_id,
            state="revoked",
            tenant_id=subject.tenant_id,
            application_id=subject.application_id,
            expires_at=utc_time(subject.expires_at),
        )
    )
