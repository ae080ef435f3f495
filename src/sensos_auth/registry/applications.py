"""Applications: make, list, change, disable, enable, void what they hold, delete."""

from dataclasses import replace

from msgspec import UNSET, UnsetType

from sensos_auth.model.application import Application
from sensos_auth.model.audience import checked_audience
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
    change: Change,
    *,
    tenant_id: str,
    name: str,
    scope: str = "",
    lifetime: int | None = None,
    audience: str | None = None,
) -> Application:
    """Make an application of the tenant, without a secret yet; ``lifetime`` is its access tokens' in seconds.

    ``None`` for lifetime and audience leaves them to the tenant and the deployment. Raises NotFound for an unknown
    tenant, InvalidInput for a bad name, scope, lifetime or audience.
    """
    get_tenant(change, tenant_id)
    application = Application(
        application_id=new_application_id(),
        tenant_id=tenant_id,
        name=checked_name(name),
        scope=normalize_scope(scope),
        lifetime=None if lifetime is None else checked_lifetime(lifetime),
        audience=None if audience is None else checked_audience(audience),
        created_at=change.now,
        disabled_at=None,
        changed_version=change.version,
    )
    change.statements.insert_application(
        change.connection,
        application_id=application.application_id,
        tenant_id=tenant_id,
        name=application.name,
        scope=application.scope,
        lifetime=application.lifetime,
        audience=application.audience,
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
        audience=application.audience,
    )
    return application


def get_application(view: View, application_id: str) -> Application:
    """Return the application; raises NotFound."""
    known = is_identifier(application_id)
    row = view.statements.application(view.connection, application_id=application_id) if known else None
    if row is None:
        raise NotFound(f"there is no application {application_id}")
    return Application(*row)


def count_applications(view: View, *, tenant_id: str | None = None) -> int:
    """Return how many applications there are, of the tenant or of all."""
    if tenant_id is None:
        return int(view.statements.count_applications(view.connection))
    return int(view.statements.count_applications_of_tenant(view.connection, tenant_id=tenant_id))


def whose_application(view: View, application_id: str) -> str | None:
    """Return the tenant ID of the application, also of a deleted one; None when there never was one of this ID."""
    tenant_id: str | None = view.statements.whose_application(view.connection, application_id=application_id)
    return tenant_id


def list_applications(
    view: View, *, tenant_id: str | None = None, after: str | None = None, limit: int = 100
) -> list[Application]:
    """Return up to ``limit`` applications in the order of their creation, those after the application ID ``after``.

    That application may have been deleted since. Raises NotFound when there is no tenant ``tenant_id``, or never was an
    application ``after``.
    """
    if after is not None and whose_application(view, after) is None:
        raise NotFound(f"there is no application {after}")
    if tenant_id is None:
        rows = view.statements.applications(view.connection, after=after or "", limit=limit)
    else:
        get_tenant(view, tenant_id)
        rows = view.statements.applications_of_tenant(
            view.connection, tenant_id=tenant_id, after=after or "", limit=limit
        )
    return [Application(*row) for row in rows]


def change_application(
    change: Change,
    application_id: str,
    *,
    name: str | UnsetType = UNSET,
    scope: str | UnsetType = UNSET,
    lifetime: int | UnsetType | None = UNSET,
    audience: str | UnsetType | None = UNSET,
) -> Application:
    """Change what is given, and leave the rest. Tokens that were issued before keep what they say.

    ``None`` leaves lifetime and audience to the tenant and the deployment. Raises NotFound, InvalidInput.
    """
    application = get_application(change, application_id)
    if not isinstance(lifetime, UnsetType):
        application = replace(application, lifetime=None if lifetime is None else checked_lifetime(lifetime))
    if not isinstance(audience, UnsetType):
        application = replace(application, audience=None if audience is None else checked_audience(audience))
    changed = replace(
        application,
        name=application.name if name is UNSET else checked_name(name),
        scope=application.scope if scope is UNSET else normalize_scope(scope),
    )
    _write(change, changed)
    change.record(
        "application.changed",
        application_id,
        tenant_id=changed.tenant_id,
        name=changed.name,
        scope=changed.scope,
        lifetime=changed.lifetime,
        audience=changed.audience,
    )
    return get_application(change, application_id)


def disable_application(change: Change, application_id: str) -> Application:
    """Refuse the application from now on, and void the tokens that it has. Raises NotFound.

    Disabling twice is no mistake: it voids again, also what was issued before this registry kept revocations.
    """
    application = get_application(change, application_id)
    _write(change, replace(application, disabled_at=application.disabled_at or change.now))
    void_tokens(change, RevocationKind.APPLICATION, application_id)
    change.record("application.disabled", application_id, tenant_id=application.tenant_id, tokens="void")
    return get_application(change, application_id)


def enable_application(change: Change, application_id: str) -> Application:
    """Let the application get tokens again, if its tenant is enabled. Raises NotFound."""
    application = get_application(change, application_id)
    _write(change, replace(application, disabled_at=None))
    change.record("application.enabled", application_id, tenant_id=application.tenant_id)
    return get_application(change, application_id)


def void_tokens_of_application(change: Change, application_id: str) -> Application:
    """Void all tokens that the application was issued until now; it can get new ones at once. Raises NotFound."""
    application = get_application(change, application_id)
    void_tokens(change, RevocationKind.APPLICATION, application_id)
    change.record("application.tokens_voided", application_id, tenant_id=application.tenant_id, tokens="void")
    return application


def delete_application(change: Change, application_id: str) -> None:
    """Remove the application for good, and void its tokens. The audit trail keeps it. Raises NotFound."""
    application = get_application(change, application_id)
    change.statements.delete_application(
        change.connection, application_id=application_id, now=change.now, version=change.version
    )
    change.statements.repeat_application_in_its_secrets(change.connection, application_id=application_id)
    void_tokens(change, RevocationKind.APPLICATION, application_id)
    change.record("application.deleted", application_id, tenant_id=application.tenant_id, tokens="void")


def _write(change: Change, application: Application) -> None:
    change.statements.write_application(
        change.connection,
        application_id=application.application_id,
        name=application.name,
        scope=application.scope,
        lifetime=application.lifetime,
        audience=application.audience,
        disabled_at=application.disabled_at,
        version=change.version,
    )
    change.statements.repeat_application_in_its_secrets(change.connection, application_id=application.application_id)
