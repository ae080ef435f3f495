"""What a caller can see. What is another tenant's is not there, exactly as what never was."""

from typing import TypeVar

from sensos_auth.model.application import Application
from sensos_auth.model.application_secret import Secret
from sensos_auth.model.errors import NotFound
from sensos_auth.model.tenant import Tenant
from sensos_auth.registry import View
from sensos_auth.registry.applications import get_application
from sensos_auth.registry.secrets import get_secret
from sensos_auth.registry.tenants import get_tenant, was_tenant_made
from sensos_auth.server.management.authority import Authority

_Thing = TypeVar("_Thing")


def reachable_tenant(view: View, authority: Authority, tenant_id: str) -> Tenant:
    """Return the tenant; raises NotFound."""
    return _within(authority, tenant_id, get_tenant(view, tenant_id))


def reachable_application(view: View, authority: Authority, application_id: str) -> Application:
    """Return the application; raises NotFound."""
    application = get_application(view, application_id)
    return _within(authority, application.tenant_id, application)


def reachable_secret(view: View, authority: Authority, secret_id: str) -> Secret:
    """Return what is kept of the secret; raises NotFound."""
    secret = get_secret(view, secret_id)
    return _within(authority, secret.tenant_id, secret)


def chosen_tenant(view: View, authority: Authority, tenant_id: str | None) -> str | None:
    """Return whose things a list shall hold: the one that was asked for, otherwise all that the caller can see.

    None is every tenant. Raises NotFound.
    """
    if tenant_id is not None:
        return reachable_tenant(view, authority, tenant_id).tenant_id
    return None if authority.is_operator else authority.tenant_id


def chosen_history(view: View, authority: Authority, tenant_id: str | None) -> str | None:
    """Return the same for what is told of the past, which a tenant that was deleted has as well. Raises NotFound."""
    if tenant_id is None:
        return None if authority.is_operator else authority.tenant_id
    if not was_tenant_made(view, tenant_id):
        raise NotFound("never was")
    return _within(authority, tenant_id, tenant_id)


def _within(authority: Authority, tenant_id: str, thing: _Thing) -> _Thing:
    if not authority.reaches(tenant_id):
        raise NotFound("out of reach")
    return thing
