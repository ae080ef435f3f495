"""``/v1/tenants``: the caller's own; for operators all."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import Field

from sensos_auth.model.errors import Conflict
from sensos_auth.model.tenant import Tenant
from sensos_auth.registry import View
from sensos_auth.registry import tenants as use_cases
from sensos_auth.registry.pages import cut_page
from sensos_auth.registry.tenant_deletion import delete_tenant as delete_tenant_and_all
from sensos_auth.server.management.authority import OPERATOR, Authority
from sensos_auth.server.management.carrying_out import Changing, Reading
from sensos_auth.server.management.members import Asked, Lifetime, Name, Patch, Shown, absent, utc_time
from sensos_auth.server.management.operations import Operations
from sensos_auth.server.management.pages import CountedPageMetadata, CountedPageQuery, bad_cursor
from sensos_auth.server.management.reach import reachable_tenant
from sensos_auth.server.management.replies import Reply

_READ = "auth:tenants:read"
_WRITE = "auth:tenants:write"
_BY_OPERATOR = f"{_WRITE} {OPERATOR}"
_LIFETIME = "Of its applications' access tokens, in seconds; `null` for the deployment's. Set by operators only."
_EXAMPLE = {
    "tenantId": "ten_ga2tqnbygu3tmobzha4tsojqgy",
    "name": "Blue Motors",
    "state": "enabled",
    "lifetime": None,
    "createdAt": "2026-11-25T09:00:00Z",
    "disabledAt": None,
}

operations = Operations("Tenants")
TenantId = Annotated[str, Path(alias="tenantId", description="The tenant.")]


class TenantShown(Shown):
    """A tenant: a customer."""

    tenant_id: str
    name: str
    state: Literal["enabled", "disabled"]
    lifetime: int | None = Field(description="Of its access tokens, in seconds; `null` for the deployment's.")
    created_at: datetime
    disabled_at: datetime | None


class TenantPage(Shown):
    """A page of tenants, in the order of their creation."""

    metadata: CountedPageMetadata
    tenants: list[TenantShown]


class NewTenant(Asked):
    """What a tenant is made of."""

    name: Name
    lifetime: Lifetime | None = Field(default=None, description=_LIFETIME)


class TenantPatch(Patch):
    """What is to be changed of a tenant."""

    name: Name = absent()
    lifetime: Lifetime | None = absent(_LIFETIME)


@operations.reads(
    "/v1/tenants",
    scope=_READ,
    summary="List tenants",
    shown=TenantPage,
    example={"metadata": {"nextCursor": None}, "tenants": [_EXAMPLE]},
)
def list_tenants(call: Reading, page: Annotated[CountedPageQuery, Query()]) -> Reply:
    """The caller's own tenant; all tenants for operators."""
    if call.authority.is_operator:
        if page.cursor is not None and not use_cases.was_tenant_made(call.view, page.cursor):
            raise bad_cursor()
        found = use_cases.list_tenants(call.view, after=page.cursor, limit=page.limit + 1)
        total = use_cases.count_tenants(call.view) if page.include_total else None
    else:
        found = _own_tenant(call.view, call.authority, page.cursor)
        total = 1 if page.include_total else None
    tenants, next_cursor = cut_page(found, page.limit, lambda tenant: tenant.tenant_id)
    metadata = CountedPageMetadata(next_cursor=next_cursor, total=total)
    return Reply(TenantPage(metadata=metadata, tenants=[_shown(tenant) for tenant in tenants]))


@operations.creates(
    "/v1/tenants",
    scope=_BY_OPERATOR,
    summary="Make a tenant",
    shown=TenantShown,
    example=_EXAMPLE,
    body_example={"name": "Blue Motors"},
)
def create_tenant(call: Changing, body: NewTenant) -> Reply:
    """A customer, without an application yet. For operators."""
    return _reply(use_cases.create_tenant(call.change, name=body.name, lifetime=body.lifetime), is_new=True)


@operations.reads(
    "/v1/tenants/{tenantId}", scope=_READ, summary="Get a tenant", shown=TenantShown, example=_EXAMPLE, has_version=True
)
def get_tenant(call: Reading, tenant_id: TenantId) -> Reply:
    """One tenant, and in `ETag` its version, for `If-Match`."""
    return _reply(reachable_tenant(call.view, call.authority, tenant_id))


@operations.changes(
    "PATCH",
    "/v1/tenants/{tenantId}",
    scope=_WRITE,
    summary="Change a tenant",
    shown=TenantShown,
    example={**_EXAMPLE, "name": "Blue Motors Europe"},
    body_example={"name": "Blue Motors Europe"},
)
def change_tenant(call: Changing, tenant_id: TenantId, body: TenantPatch) -> Reply:
    """Changes what is given, and leaves the rest. The lifetime is for operators to change."""
    call.precondition.check(reachable_tenant(call.change, call.authority, tenant_id).changed_version)
    if "lifetime" in body.model_fields_set:
        call.authority.need(OPERATOR)
    name, lifetime = body.given("name"), body.given("lifetime")
    return _reply(use_cases.change_tenant(call.change, tenant_id, name=name, lifetime=lifetime))


@operations.changes(
    "DELETE",
    "/v1/tenants/{tenantId}",
    scope=_BY_OPERATOR,
    summary="Delete a tenant",
    shown=None,
    conflict="It is the caller's own tenant.",
)
def delete_tenant(call: Changing, tenant_id: TenantId) -> Reply:
    """Removes it and its applications for good, and voids their tokens. The audit trail stays. For operators."""
    call.precondition.check(reachable_tenant(call.change, call.authority, tenant_id).changed_version)
    _spare_own(call.authority, tenant_id)
    delete_tenant_and_all(call.change, tenant_id)
    return Reply()


@operations.changes(
    "POST",
    "/v1/tenants/{tenantId}/disable",
    scope=_BY_OPERATOR,
    summary="Disable a tenant",
    shown=TenantShown,
    example={**_EXAMPLE, "state": "disabled", "disabledAt": "2026-11-25T10:00:00Z"},
    conflict="It is the caller's own tenant.",
)
def disable_tenant(call: Changing, tenant_id: TenantId) -> Reply:
    """Refuses all its applications from now on, and voids the tokens that they have. For operators."""
    call.precondition.check(reachable_tenant(call.change, call.authority, tenant_id).changed_version)
    _spare_own(call.authority, tenant_id)
    return _reply(use_cases.disable_tenant(call.change, tenant_id))


@operations.changes(
    "POST",
    "/v1/tenants/{tenantId}/enable",
    scope=_BY_OPERATOR,
    summary="Enable a tenant",
    shown=TenantShown,
    example=_EXAMPLE,
)
def enable_tenant(call: Changing, tenant_id: TenantId) -> Reply:
    """Lets its enabled applications get tokens again. For operators."""
    call.precondition.check(reachable_tenant(call.change, call.authority, tenant_id).changed_version)
    return _reply(use_cases.enable_tenant(call.change, tenant_id))


def _own_tenant(view: View, authority: Authority, cursor: str | None) -> list[Tenant]:
    if cursor is None:
        return [use_cases.get_tenant(view, authority.tenant_id)]
    if cursor != authority.tenant_id:
        raise bad_cursor()
    return []


def _spare_own(authority: Authority, tenant_id: str) -> None:
    if tenant_id == authority.tenant_id:
        raise Conflict("this is your own tenant, and you would lock yourself out: use another one's application")


def _reply(tenant: Tenant, *, is_new: bool = False) -> Reply:
    return Reply(_shown(tenant), tenant.changed_version, f"/v1/tenants/{tenant.tenant_id}" if is_new else None)


def _shown(tenant: Tenant) -> TenantShown:
    return TenantShown(
        tenant_id=tenant.tenant_id,
        name=tenant.name,
        state="enabled" if tenant.disabled_at is None else "disabled",
        lifetime=tenant.lifetime,
        created_at=utc_time(tenant.created_at),
        disabled_at=utc_time(tenant.disabled_at),
    )
