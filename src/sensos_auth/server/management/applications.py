"""``/v1/applications``: the machines of the caller's tenant; for operators, of all tenants."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import Field

from sensos_auth.model.application import Application
from sensos_auth.model.errors import Conflict
from sensos_auth.registry import applications as use_cases
from sensos_auth.registry.pages import cut_page
from sensos_auth.registry.secrets import create_secret
from sensos_auth.server.management.carrying_out import Changing, Reading
from sensos_auth.server.management.grants import check_grant, check_handing_out
from sensos_auth.server.management.members import Asked, Lifetime, Name, Patch, Shown, absent, utc_time
from sensos_auth.server.management.operations import Operations
from sensos_auth.server.management.pages import CountedPageMetadata, CountedPageQuery, Sought, bad_cursor
from sensos_auth.server.management.reach import chosen_tenant, reachable_application, reachable_tenant
from sensos_auth.server.management.replies import Reply

_READ = "auth:applications:read"
_WRITE = "auth:applications:write"
_LIFETIME = "Of its access tokens, in seconds; `null` for its tenant's."
_AUDIENCE = "The API that its tokens are for; `null` for the deployment's. Set by operators only."
_EXAMPLE = {
    "applicationId": "app_mfrggzdfmztwq2lknnwg23tpoa",
    "tenantId": "ten_ga2tqnbygu3tmobzha4tsojqgy",
    "name": "Fleet sync",
    "state": "enabled",
    "scope": "vehicles:read trips:read",
    "lifetime": None,
    "audience": None,
    "createdAt": "2026-11-25T09:00:00Z",
    "disabledAt": None,
}

operations = Operations("Applications")
_Scope = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=r"^[\x20\x21\x23-\x5b\x5d-\x7e]*$",
        description="The scopes of its tokens, separated by spaces. Nobody grants one that he does not hold.",
    ),
]
_Audience = Annotated[str, Field(min_length=1, max_length=512)]
ApplicationId = Annotated[str, Path(alias="applicationId", description="The application.")]


class ApplicationShown(Shown):
    """An application: a machine of a tenant that calls the API."""

    application_id: str
    tenant_id: str
    name: str
    state: Literal["enabled", "disabled"]
    scope: str = Field(description="The scopes of its tokens, separated by spaces.")
    lifetime: int | None = Field(description="Of its access tokens, in seconds; `null` for its tenant's.")
    audience: str | None = Field(description="The API that its tokens are for; `null` for the deployment's.")
    created_at: datetime
    disabled_at: datetime | None


class CreatedApplicationShown(ApplicationShown):
    """An application that was just made, with its first secret, which is shown this once."""

    secret_id: str
    application_secret: str = Field(description="Keep it now: only its digest is stored.")

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        """Return what a representation shows: not the secret."""
        return [("application_id", self.application_id), ("secret_id", self.secret_id)]


class ApplicationPage(Shown):
    """A page of applications, in the order of their creation."""

    metadata: CountedPageMetadata
    applications: list[ApplicationShown]


class ApplicationsQuery(CountedPageQuery):
    """Which applications."""

    tenant_id: Sought | None = Field(None, description="Only those of this tenant.")


class NewApplication(Asked):
    """What an application is made of."""

    tenant_id: str | None = Field(default=None, description="Whose it is; without it, the caller's tenant's.")
    name: Name
    scope: _Scope = ""
    lifetime: Lifetime | None = Field(default=None, description=_LIFETIME)
    audience: _Audience | None = Field(default=None, description=_AUDIENCE)


class ApplicationPatch(Patch):
    """What is to be changed of an application."""

    name: Name = absent()
    scope: _Scope | None = absent("The scopes of its tokens from now on; `null` for none.")
    lifetime: Lifetime | None = absent(_LIFETIME)
    audience: _Audience | None = absent(_AUDIENCE)


@operations.reads(
    "/v1/applications",
    scope=_READ,
    summary="List applications",
    shown=ApplicationPage,
    example={"metadata": {"nextCursor": None}, "applications": [_EXAMPLE]},
)
def list_applications(call: Reading, page: Annotated[ApplicationsQuery, Query()]) -> Reply:
    """Those of the caller's tenant; for operators those of all tenants, or of one."""
    tenant_id = chosen_tenant(call.view, call.authority, page.tenant_id)
    if page.cursor is not None:
        whose = use_cases.whose_application(call.view, page.cursor)
        if whose is None or not call.authority.reaches(whose):
            raise bad_cursor()
    found = use_cases.list_applications(call.view, tenant_id=tenant_id, after=page.cursor, limit=page.limit + 1)
    total = use_cases.count_applications(call.view, tenant_id=tenant_id) if page.include_total else None
    shown, next_cursor = cut_page(found, page.limit, lambda application: application.application_id)
    metadata = CountedPageMetadata(next_cursor=next_cursor, total=total)
    return Reply(ApplicationPage(metadata=metadata, applications=[_shown(application) for application in shown]))


@operations.creates(
    "/v1/applications",
    scope=_WRITE,
    summary="Make an application",
    shown=CreatedApplicationShown,
    example={**_EXAMPLE, "secretId": "sec_orugs4zanfzsa3tporqsa43fmm", "applicationSecret": "sensos_sk_…"},
    body_example={"name": "Fleet sync", "scope": "vehicles:read trips:read"},
)
def create_application(call: Changing, body: NewApplication) -> Reply:
    """An application and its first secret, which is shown this once; for 24 hours again under the same key."""
    tenant_id = body.tenant_id or call.authority.tenant_id
    reachable_tenant(call.change, call.authority, tenant_id)
    check_grant(call.authority, scope=body.scope, audience=body.audience)
    application = use_cases.create_application(
        call.change,
        tenant_id=tenant_id,
        name=body.name,
        scope=body.scope,
        lifetime=body.lifetime,
        audience=body.audience,
    )
    secret, shown = create_secret(call.change, application_id=application.application_id)
    content = CreatedApplicationShown(**dict(_shown(application)), secret_id=secret.secret_id, application_secret=shown)
    return Reply(content, application.changed_version, f"/v1/applications/{application.application_id}")


@operations.reads(
    "/v1/applications/{applicationId}",
    scope=_READ,
    summary="Get an application",
    shown=ApplicationShown,
    example=_EXAMPLE,
    has_version=True,
)
def get_application(call: Reading, application_id: ApplicationId) -> Reply:
    """One application, and in `ETag` its version, for `If-Match`."""
    return _reply(reachable_application(call.view, call.authority, application_id))


@operations.changes(
    "PATCH",
    "/v1/applications/{applicationId}",
    scope=_WRITE,
    summary="Change an application",
    shown=ApplicationShown,
    example={**_EXAMPLE, "scope": "vehicles:read"},
    body_example={"scope": "vehicles:read"},
)
def change_application(call: Changing, application_id: ApplicationId, body: ApplicationPatch) -> Reply:
    """Changes what is given, and leaves the rest. Tokens that it has already keep their scopes until they end."""
    application = _seen(call, application_id)
    given = body.model_fields_set
    check_grant(
        call.authority,
        scope=(body.scope or "") if "scope" in given else application.scope,
        audience=body.audience if "audience" in given else application.audience,
        before=application,
    )
    scope = body.given("scope")
    changed = use_cases.change_application(
        call.change,
        application_id,
        name=body.given("name"),
        scope="" if scope is None else scope,
        lifetime=body.given("lifetime"),
        audience=body.given("audience"),
    )
    return _reply(changed)


@operations.changes(
    "DELETE",
    "/v1/applications/{applicationId}",
    scope=_WRITE,
    summary="Delete an application",
    shown=None,
    conflict="It is the application that calls.",
)
def delete_application(call: Changing, application_id: ApplicationId) -> Reply:
    """Removes it for good, with its secrets, and voids its tokens. The audit trail stays."""
    _spare_itself(call, _seen(call, application_id))
    use_cases.delete_application(call.change, application_id)
    return Reply()


@operations.changes(
    "POST",
    "/v1/applications/{applicationId}/disable",
    scope=_WRITE,
    summary="Disable an application",
    shown=ApplicationShown,
    example={**_EXAMPLE, "state": "disabled", "disabledAt": "2026-11-25T10:00:00Z"},
    conflict="It is the application that calls.",
)
def disable_application(call: Changing, application_id: ApplicationId) -> Reply:
    """Gives it no token from now on, and voids those that it has: verifiers refuse them within a second."""
    _spare_itself(call, _seen(call, application_id))
    return _reply(use_cases.disable_application(call.change, application_id))


@operations.changes(
    "POST",
    "/v1/applications/{applicationId}/enable",
    scope=_WRITE,
    summary="Enable an application",
    shown=ApplicationShown,
    example=_EXAMPLE,
)
def enable_application(call: Changing, application_id: ApplicationId) -> Reply:
    """Lets it get tokens again. The caller must hold all of its scopes."""
    check_handing_out(call.authority, _seen(call, application_id))
    return _reply(use_cases.enable_application(call.change, application_id))


@operations.changes(
    "POST",
    "/v1/applications/{applicationId}/void-tokens",
    scope=_WRITE,
    summary="Void an application's tokens",
    shown=ApplicationShown,
    example=_EXAMPLE,
)
def void_tokens(call: Changing, application_id: ApplicationId) -> Reply:
    """Voids all tokens that it was issued until now. It can get new ones at once."""
    _seen(call, application_id)
    return _reply(use_cases.void_tokens_of_application(call.change, application_id))


def _seen(call: Changing, application_id: str) -> Application:
    application = reachable_application(call.change, call.authority, application_id)
    call.precondition.check(application.changed_version)
    return application


def _spare_itself(call: Changing, application: Application) -> None:
    if application.application_id == call.authority.application_id:
        raise Conflict("this is the application that you call with: use another one, or you lock yourself out")


def _reply(application: Application) -> Reply:
    return Reply(_shown(application), application.changed_version)


def _shown(application: Application) -> ApplicationShown:
    return ApplicationShown(
        application_id=application.application_id,
        tenant_id=application.tenant_id,
        name=application.name,
        state="enabled" if application.disabled_at is None else "disabled",
        scope=application.scope,
        lifetime=application.lifetime,
        audience=application.audience,
        created_at=utc_time(application.created_at),
        disabled_at=utc_time(application.disabled_at),
    )
