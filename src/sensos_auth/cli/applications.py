"""``sensos-auth applications``: the machines of a tenant that call the API."""

import click
from msgspec import UNSET

from sensos_auth.cli.changing import chosen, need_a_change
from sensos_auth.cli.confirming import confirm, yes_option
from sensos_auth.cli.opening import actor, opened_registry, registry_change, registry_view
from sensos_auth.cli.paging import page_options
from sensos_auth.cli.parameters import IDENTIFIER, example, json_option, lifetime_option
from sensos_auth.cli.printing import Members, iso_time, print_page, print_thing
from sensos_auth.cli.showing_secrets import print_new_secret
from sensos_auth.cli.waiting import Done, conclude, wait_options
from sensos_auth.model.application import Application
from sensos_auth.registry.applications import (
    change_application,
    create_application,
    delete_application,
    disable_application,
    enable_application,
    get_application,
    list_applications,
    void_tokens_of_application,
)
from sensos_auth.registry.pages import cut_page
from sensos_auth.registry.secrets import count_secrets, create_secret
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
@lifetime_option("the tenant's, else the deployment's")
@click.option("--audience", metavar="API", help="The API that its tokens are for.  [default: the deployment's]")
@json_option
def create(*, tenant_id: str, name: str, scope: str, lifetime: int | None, audience: str | None, as_json: bool) -> None:
    """Make an application and its first secret, which is shown this once."""
    with registry_change() as change:
        application = create_application(
            change, tenant_id=tenant_id, name=name, scope=scope, lifetime=lifetime, audience=audience
        )
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


@applications.command(epilog=example("applications show app_…"))
@click.argument("application_id", metavar="ID", type=IDENTIFIER)
@json_option
def show(*, application_id: str, as_json: bool) -> None:
    """Print an application, and how many secrets it has."""
    with registry_view() as view:
        members = _members(get_application(view, application_id))
        members = {**members, "secrets": count_secrets(view, application_id)}
    print_thing(members, as_json=as_json)


@applications.command(
    epilog=example('applications change app_… --scope "vehicles:read"', "applications change app_… --default-lifetime")
)
@click.argument("application_id", metavar="ID", type=IDENTIFIER)
@click.option("--name", help="What people call it: 1 to 200 printable characters. Names may repeat.")
@click.option("--scope", help='The scopes of its tokens, separated by spaces; "" for none.')
@lifetime_option()
@click.option("--default-lifetime", is_flag=True, help="Let the tenant decide how long its tokens live.")
@click.option("--audience", metavar="API", help="The API that its tokens are for.")
@click.option("--default-audience", is_flag=True, help="Let the deployment decide which API its tokens are for.")
@json_option
def change(
    *,
    application_id: str,
    name: str | None,
    scope: str | None,
    lifetime: int | None,
    default_lifetime: bool,
    audience: str | None,
    default_audience: bool,
    as_json: bool,
) -> None:
    """Change what is given, and leave the rest.

    Tokens that were issued before keep what they say: `applications void-tokens` ends them.
    """
    new_name, new_scope = (UNSET if text is None else text for text in (name, scope))
    new_lifetime = chosen("--lifetime", lifetime, "--default-lifetime", reset=default_lifetime)
    new_audience = chosen("--audience", audience, "--default-audience", reset=default_audience)
    need_a_change(new_name, new_scope, new_lifetime, new_audience)
    with registry_change() as change:
        application = change_application(
            change, application_id, name=new_name, scope=new_scope, lifetime=new_lifetime, audience=new_audience
        )
    print_thing(_members(application), as_json=as_json)


@applications.command("void-tokens", epilog=example("applications void-tokens app_… --wait"))
@click.argument("application_id", metavar="ID", type=IDENTIFIER)
@wait_options
@json_option
def void_tokens_command(*, application_id: str, wait: bool, wait_timeout: float, as_json: bool) -> None:
    """Have all tokens refused that the application was issued until now. It can get new ones at once.

    Verifiers that follow the revocation feed refuse them within a second. Who verifies without the feed accepts them
    until they expire.
    """
    with opened_registry() as registry:
        with registry.change(actor()) as change:
            members = _members(void_tokens_of_application(change, application_id))
        done = Done(change.version, members, lambda: print_thing(members, as_json=False))
        conclude(registry, done, wait=wait, wait_timeout=wait_timeout, as_json=as_json)


@applications.command(epilog=example("applications delete app_…", "applications delete app_… --yes --wait"))
@click.argument("application_id", metavar="ID", type=IDENTIFIER)
@yes_option
@wait_options
@json_option
def delete(*, application_id: str, yes: bool, wait: bool, wait_timeout: float, as_json: bool) -> None:
    """Remove an application for good, with its secrets, and have the tokens that it holds refused.

    There is no way back, and its ID is never given again. The audit trail keeps it. To only cut it off, disable it.
    """
    with opened_registry() as registry:
        with registry.refusals_settled(), registry.view() as view:
            application = get_application(view, application_id)
            count = count_secrets(view, application_id)
        takes = f"Its secrets ({count}) end with it and its tokens are void, for ever."
        confirm(f"Delete the application {application_id} ({application.name})?", takes, yes=yes)
        with registry.change(actor()) as change:
            members = {**_members(get_application(change, application_id)), "state": "deleted"}
            members |= {"secrets": count_secrets(change, application_id)}
            delete_application(change, application_id)
        done = Done(change.version, members, lambda: print_thing(members, as_json=False))
        conclude(registry, done, wait=wait, wait_timeout=wait_timeout, as_json=as_json)


def _members(application: Application) -> Members:
    return {
        "applicationId": application.application_id,
        "tenantId": application.tenant_id,
        "name": application.name,
        "state": "enabled" if application.disabled_at is None else "disabled",
        "scope": application.scope,
        "lifetime": application.lifetime,
        "audience": application.audience,
        "createdAt": iso_time(application.created_at),
        "disabledAt": iso_time(application.disabled_at),
    }
