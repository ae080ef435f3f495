"""``sensos-auth applications``: the machines of a tenant that call the API."""

import click

from sensos_auth.cli.opening import actor, opened_registry, registry_change, registry_view
from sensos_auth.cli.paging import cut_page, page_options
from sensos_auth.cli.parameters import IDENTIFIER, example, json_option, lifetime_option
from sensos_auth.cli.printing import Members, iso_time, print_page, print_thing
from sensos_auth.cli.showing_secrets import print_new_secret
from sensos_auth.cli.waiting import Done, conclude, wait_options
from sensos_auth.model.application import Application
from sensos_auth.registry.applications import (
    create_application,
    disable_application,
    enable_application,
    list_applications,
)
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.tenants import get_tenant


@click.group(epilog=example('applications create --tenant ten_… --name "Fleet sync"', "applications list"))
def applications() -> None:
    """Applications: the machines of a tenant that call the API."""


@applications.command(
    epilog=example('applications create --tenant ten_… --name "Fleet sync" --scope "vehicles:read trips:read"')
)
@click.option("--tenant", "tenant_id", required=True, type=IDENTIFIER, metavar="ID", help="The tenant it belongs to.")
@click.option("--name", required=True, help="What people call it: 1 to 200 printable characters. Names may repeat.")
@click.option("--scope", default="", help="The scopes of its tokens, separated by spaces.  [default: none]")
@lifetime_option
@json_option
def create(*, tenant_id: str, name: str, scope: str, lifetime: int | None, as_json: bool) -> None:
    """Make an application and its first secret, which is shown this once."""
    with registry_change() as change:
        application = create_application(change, tenant_id=tenant_id, name=name, scope=scope, lifetime=lifetime)
        secret, shown = create_secret(change, application_id=application.application_id)
    members = {**_members(application), "secretId": secret.secret_id}
    print_new_secret(members, shown, as_json=as_json)


@applications.command("list", epilog=example("applications list --tenant ten_…"))
@click.option("--tenant", "tenant_id", type=IDENTIFIER, metavar="ID", help="Only those of this tenant.")
@page_options
@json_option
def list_command(*, tenant_id: str | None, cursor: str | None, limit: int, as_json: bool) -> None:
    """Print the applications, in the order of their creation."""
    with registry_view() as view:
        if tenant_id is not None:
            get_tenant(view, tenant_id)
        found = list_applications(view, tenant_id=tenant_id, after=cursor, limit=limit + 1)
    page, next_cursor = cut_page(found, limit, lambda application: application.application_id)
    rows = [_members(application) for application in page]
    columns = ("applicationId", "tenantId", "name", "state", "scope", "lifetime")
    print_page("applications", rows, next_cursor, as_json=as_json, columns=columns)


@applications.command(epilog=example("applications disable app_…"))
@click.argument("application_id", metavar="ID", type=IDENTIFIER)
@wait_options
@json_option
def disable(*, application_id: str, wait: bool, wait_timeout: float, as_json: bool) -> None:
    """Give the application no token from now on, and have the tokens that it holds refused.

    Verifiers that follow the revocation feed refuse them within a second, and go on doing so when the application is
    enabled again: it gets new ones then. Who verifies without the feed accepts them until they expire.
    """
    with opened_registry() as registry:
        with registry.change(actor()) as change:
            members = _members(disable_application(change, application_id))
        done = Done(change.version, members, lambda: print_thing(members, as_json=False))
        conclude(registry, done, wait=wait, wait_timeout=wait_timeout, as_json=as_json)


@applications.command(epilog=example("applications enable app_…"))
@click.argument("application_id", metavar="ID", type=IDENTIFIER)
@json_option
def enable(*, application_id: str, as_json: bool) -> None:
    """Let the application get tokens again, if its tenant is enabled."""
    with registry_change() as change:
        application = enable_application(change, application_id)
    print_thing(_members(application), as_json=as_json)


def _members(application: Application) -> Members:
    return {
        "applicationId": application.application_id,
        "tenantId": application.tenant_id,
        "name": application.name,
        "state": "enabled" if application.disabled_at is None else "disabled",
        "scope": application.scope,
        "lifetime": application.lifetime,
        "createdAt": iso_time(application.created_at),
        "disabledAt": iso_time(application.disabled_at),
    }
