"""Tenants: make, list, change, disable, enable."""

from dataclasses import replace

from msgspec import UNSET, UnsetType

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
        changed_version=change.version,
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


def count_tenants(view: View) -> int:
    """Return how many tenants there are."""
    return int(view.statements.count_tenants(view.connection))


def was_tenant_made(view: View, tenant_id: str) -> bool:
    """Tell whether there is such a tenant, or was before it was deleted."""
    return bool(view.statements.was_tenant_made(view.connection, tenant_id=tenant_id))


def list_tenants(view: View, *, after: str | None = None, limit: int = 100) -> list[Tenant]:
    """Return up to ``limit`` tenants in the order of their creation, those after the tenant ID ``after``.

    That tenant may have been deleted since. Raises NotFound when there never was one of this ID.
    """
    if after is not None and not was_tenant_made(view, after):
        raise NotFound(f"there is no tenant {after}")
    return [Tenant(*row) for row in view.statements.tenants(view.connection, after=after or "", limit=limit)]


def change_tenant(
    change: Change, tenant_id: str, *, name: str | UnsetType = UNSET, lifetime: int | UnsetType | None = UNSET
) -> Tenant:
    """Change what is given, and leave the rest; a ``lifetime`` of ``None`` is the deployment's.

    Raises NotFound, InvalidInput.
    """
    tenant = get_tenant(change, tenant_id)
    changed = replace(
        tenant,
        name=tenant.name if name is UNSET else checked_name(name),
        lifetime=tenant.lifetime if lifetime is UNSET else None if lifetime is None else checked_lifetime(lifetime),
    )
    _write(change, changed)
    change.record("tenant.changed", tenant_id, tenant_id=tenant_id, name=changed.name, lifetime=changed.lifetime)
    return get_tenant(change, tenant_id)


def disable_tenant(change: Change, tenant_id: str) -> Tenant:
    """Refuse every application of the tenant from now on, and void the tokens that they have. Raises NotFound.

    Disabling twice is no mistake: it voids again, also what was issued before this registry kept revocations.
    """
    tenant = get_tenant(change, tenant_id)
    _write(change, replace(tenant, disabled_at=tenant.disabled_at or change.now))
    void_tokens(change, RevocationKind.TENANT, tenant_id)
    change.record("tenant.disabled", tenant_id, tenant_id=tenant_id, tokens="void")
    return get_tenant(change, tenant_id)


def enable_tenant(change: Change, tenant_id: str) -> Tenant:
    """Let the tenant's enabled applications get tokens again. Raises NotFound."""
    _write(change, replace(get_tenant(change, tenant_id), disabled_at=None))
    change.record("tenant.enabled", tenant_id, tenant_id=tenant_id)
    return get_tenant(change, tenant_id)


def _write(change: Change, tenant: Tenant) -> None:
    change.statements.write_tenant(
        change.connection,
        tenant_id=tenant.tenant_id,
        name=tenant.name,
        lifetime=tenant.lifetime,
        disabled_at=tenant.disabled_at,
        version=change.version,
    )
