"""Tenants: delete, with all that is theirs."""

from sensos_auth.model.revocation import RevocationKind
from sensos_auth.registry.applications import delete_application
from sensos_auth.registry.revocations import void_tokens
from sensos_auth.registry.tenants import get_tenant
from sensos_auth.registry.transactions import Change


def delete_tenant(change: Change, tenant_id: str) -> None:
    """Remove the tenant and its applications for good, and void their tokens. The audit trail keeps them.

    Raises NotFound.
    """
    get_tenant(change, tenant_id)
    rows = change.statements.applications_to_delete_with_tenant(change.connection, tenant_id=tenant_id)
    for (application_id,) in list(rows):
        delete_application(change, application_id)
    change.statements.delete_tenant(change.connection, tenant_id=tenant_id, now=change.now, version=change.version)
    void_tokens(change, RevocationKind.TENANT, tenant_id)
    change.record("tenant.deleted", tenant_id, tenant_id=tenant_id, tokens="void")
