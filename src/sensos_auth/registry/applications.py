"""Applications: make, list, disable, enable."""

from sensos_auth.model.application import Application
from sensos_auth.model.errors import NotFound
from sensos_auth.model.identifiers import is_identifier, new_application_id
from sensos_auth.model.lifetime import checked_lifetime
from sensos_auth.model.revocation import RevocationKind
from sensos_auth.model.scope import normalize_scope
from sensos_auth.model.tenant import checked_name
from sensos_auth.registry.revocations import void_tokens
from sensos_auth.registry.tenants import get_tenant
from sensos_auth.registry.transactions import Change, View


def create_application(
    change: Change, *, tenant_id: str, name: str, scope: str = "", lifetime: int | None = None
) -> Application:
    """Make an application of the tenant, without a secret yet; ``lifetime`` is its access tokens' in seconds.

    Raises NotFound for an unknown tenant, InvalidInput for a bad name, scope or lifetime.
    """
    get_tenant(change, tenant_id)
    application = Application(
        application_id=new_application_id(),
        tenant_id=tenant_id,
        name=checked_name(name),
        scope=normalize_scope(scope),
        lifetime=None if lifetime is None else checked_lifetime(lifetime),
        created_at=change.now,
        disabled_at=None,
    )
    change.statements.insert_application(
        change.connection,
        application_id=application.application_id,
        tenant_id=tenant_id,
        name=application.name,
        scope=application.scope,
        lifetime=application.lifetime,
        created_at=application.created_at,
        created_version=change.version,
    )
    change.record(
        "application.created",
        application.application_id,
        tenant_id=tenant_id,
        name=application.name,
        scope=application.scope,
        lifetime=application.lifetime,
    )
    return application


def get_application(view: View, application_id: str) -> Application:
    """Return the application; raises NotFound."""
    known = is_identifier(application_id)
    row = view.statements.application(view.connection, application_id=application_id) if known else None
    if row is None:
        raise NotFound(f"there is no application {application_id}")
    return Application(*row)


def list_applications(
    view: View, *, tenant_id: str | None = None, after: str | None = None, limit: int = 100
) -> list[Application]:
    """Return up to ``limit`` applications in the order of their creation, those after the application ID ``after``.

    Raises NotFound when there is no tenant ``tenant_id`` or no application ``after``.
    """
    if after is not None:
        get_application(view, after)
    if tenant_id is None:
        rows = view.statements.applications(view.connection, after=after or "", limit=limit)
    else:
        get_tenant(view, tenant_id)
        rows = view.statements.applications_of_tenant(
            view.connection, tenant_id=tenant_id, after=after or "", limit=limit
        )
    return [Application(*row) for row in rows]


def disable_application(change: Change, application_id: str) -> Application:
    """Refuse the application from now on, and void the tokens that it has. Raises NotFound.

    Disabling twice is no mistake: it voids again, also what was issued before this registry kept revocations.
    """
    return _set_disabled(change, application_id, disabled=True)


def enable_application(change: Change, application_id: str) -> Application:
    """Let the application get tokens again, if its tenant is enabled. Raises NotFound."""
    return _set_disabled(change, application_id, disabled=False)


def _set_disabled(change: Change, application_id: str, *, disabled: bool) -> Application:
    application = get_application(change, application_id)
    if disabled != (application.disabled_at is not None):
        disabled_at = change.now if disabled else None
        change.statements.set_application_disabled(
            change.connection, application_id=application_id, disabled_at=disabled_at
        )
        change.statements.repeat_application_in_its_secrets(change.connection, application_id=application_id)
    if disabled:
        void_tokens(change, RevocationKind.APPLICATION, application_id)
        change.record("application.disabled", application_id, tenant_id=application.tenant_id, tokens="void")
    else:
        change.record("application.enabled", application_id, tenant_id=application.tenant_id)
    return get_application(change, application_id)
