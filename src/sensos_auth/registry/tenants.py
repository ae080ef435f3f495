"""Tenants: make, list, disable, enable."""

from sensos_auth.model.errors import NotFound
from sensos_auth.model.identifiers import is_identifier, new_tenant_id
from sensos_auth.model.lifetime import checked_lifetime
from sensos_auth.model.revocation import RevocationKind
from sensos_auth.model.tenant import Tenant, checked_name
from sensos_auth.registry.revocations import void_tokens
from sensos_auth.registry.transactions import Change, View


def create_tenant(change: Change, *, name: str, lifetime: int | None = None) -> Tenant:
    """Make a tenant; ``lifetime`` is its access tokens' in seconds, ``None`` for the deployment's.

    Raises InvalidInput for a bad name or lifetime.
    """
    tenant = Tenant(
        tenant_id=new_tenant_id(),
        name=checked_name(name),
        lifetime=None if lifetime is None else checked_lifetime(lifetime),
        created_at=change.now,
        disabled_at=None,
    )
    change.statements.insert_tenant(
        change.connection,
        tenant_id=tenant.tenant_id,
        name=tenant.name,
        lifetime=tenant.lifetime,
        created_at=tenant.created_at,
        created_version=change.version,
    )
    change.record("tenant.created", tenant.tenant_id, tenant_id=tenant.tenant_id, name=tenant.name)
    return tenant


def get_tenant(view: View, tenant_id: str) -> Tenant:
    """Return the tenant; raises NotFound."""
    row = view.statements.tenant(view.connection, tenant_id=tenant_id) if is_identifier(tenant_id) else None
    if row is None:
        raise NotFound(f"there is no tenant {tenant_id}")
    return Tenant(*row)


def list_tenants(view: View, *, after: str | None = None, limit: int = 100) -> list[Tenant]:
    """Return up to ``limit`` tenants in the order of their creation, those after the tenant ID ``after``.

    Raises NotFound when there is no tenant ``after``.
    """
    if after is not None:
        get_tenant(view, after)
    return [Tenant(*row) for row in view.statements.tenants(view.connection, after=after or "", limit=limit)]


def disable_tenant(change: Change, tenant_id: str) -> Tenant:
    """Refuse every application of the tenant from now on, and void the tokens that they have. Raises NotFound.

    Disabling twice is no mistake: it voids again, also what was issued before this registry kept revocations.
    """
    return _set_disabled(change, tenant_id, disabled=True)


def enable_tenant(change: Change, tenant_id: str) -> Tenant:
    """Let the tenant's enabled applications get tokens again. Raises NotFound."""
    return _set_disabled(change, tenant_id, disabled=False)


def _set_disabled(change: Change, tenant_id: str, *, disabled: bool) -> Tenant:
    tenant = get_tenant(change, tenant_id)
    if disabled != (tenant.disabled_at is not None):
        disabled_at = change.now if disabled else None
        change.statements.set_tenant_disabled(change.connection, tenant_id=tenant_id, disabled_at=disabled_at)
    if disabled:
        void_tokens(change, RevocationKind.TENANT, tenant_id)
        change.record("tenant.disabled", tenant_id, tenant_id=tenant_id, tokens="void")
    else:
        change.record("tenant.enabled", tenant_id, tenant_id=tenant_id)
    return get_tenant(change, tenant_id)
