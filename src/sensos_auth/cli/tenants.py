"""``sensos-auth tenants``: the customers."""

import click
from msgspec import UNSET

from sensos_auth.cli.changing import chosen, need_a_change
from sensos_auth.cli.confirming import confirm, yes_option
from sensos_auth.cli.opening import actor, opened_registry, registry_change, registry_view
from sensos_auth.cli.paging import page_options
from sensos_auth.cli.parameters import IDENTIFIER, example, json_option, lifetime_option
from sensos_auth.cli.printing import Members, iso_time, print_page, print_thing
from sensos_auth.cli.waiting import Done, conclude, wait_options
from sensos_auth.model.tenant import Tenant
from sensos_auth.registry.applications import count_applications
from sensos_auth.registry.pages import cut_page
from sensos_auth.registry.tenant_deletion import delete_tenant
from sensos_auth.registry.tenants import (
    change_tenant,
    create_tenant,
    disable_tenant,
    enable_tenant,
    get_tenant,
    list_tenants,
)


@click.group(epilog=example('tenants create --name "Blue Motors"', "tenants list"))
def tenants() -> None:
    """Tenants: the customers that applications belong to."""


@tenants.command(epilog=example('tenants create --name "Blue Motors" --json'))
@click.option("--name", required=True, help="What people call it: 1 to 200 printable characters. Names may repeat.")
@lifetime_option("the deployment's")
@json_option
def create(*, name: str, lifetime: int | None, as_json: bool) -> None:
    """Make a tenant, and print its ID."""
    with registry_change() as change:
        tenant = create_tenant(change, name=name, lifetime=lifetime)
    print_thing(_members(tenant), as_json=as_json)


@tenants.command("list", epilog=example("tenants list --limit 20"))
@page_options
@json_option
def list_command(*, cursor: str | None, limit: int, as_json: bool) -> None:
    """Print the tenants, in the order of their creation."""
    with registry_view() as view:
        found = list_tenants(view, after=cursor, limit=limit + 1)
    page, next_cursor = cut_page(found, limit, lambda tenant: tenant.tenant_id)
    columns = ("tenantId", "name", "state", "createdAt")
    print_page("tenants", [_members(tenant) for tenant in page], next_cursor, as_json=as_json, columns=columns)


@tenants.command(epilog=example("tenants disable ten_…"))
@click.argument("tenant_id", metavar="ID", type=IDENTIFIER)
@wait_options
@json_option
def disable(*, tenant_id: str, wait: bool, wait_timeout: float, as_json: bool) -> None:
    """Give none of the tenant's applications a token from now on, and have the tokens that they hold refused.

    Verifiers that follow the revocation feed refuse them within a second, and go on doing so when the tenant is
    enabled again: its applications get new ones then. Who verifies without the feed accepts them until they expire.
    """
    with opened_registry() as registry:
        with registry.change(actor()) as change:
            members = _members(disable_tenant(change, tenant_id))
        done = Done(change.version, members, lambda: print_thing(members, as_json=False))
        conclude(registry, done, wait=wait, wait_timeout=wait_timeout, as_json=as_json)


@tenants.command(epilog=example("tenants enable ten_…"))
@click.argument("tenant_id", metavar="ID", type=IDENTIFIER)
@json_option
def enable(*, tenant_id: str, as_json: bool) -> None:
    """Let the tenant's enabled applications get tokens again."""
    with registry_change() as change:
        tenant = enable_tenant(change, tenant_id)
    print_thing(_members(tenant), as_json=as_json)


@tenants.command(epilog=example("tenants show ten_…"))
@click.argument("tenant_id", metavar="ID", type=IDENTIFIER)
@json_option
def show(*, tenant_id: str, as_json: bool) -> None:
    """Print a tenant, and how many applications it has."""
    with registry_view() as view:
        members = {
            **_members(get_tenant(view, tenant_id)),
            "applications": count_applications(view, tenant_id=tenant_id),
        }
    print_thing(members, as_json=as_json)


@tenants.command(
    epilog=example('tenants change ten_… --name "Blue Motors Europe"', "tenants change ten_… --default-lifetime")
)
@click.argument("tenant_id", metavar="ID", type=IDENTIFIER)
@click.option("--name", help="What people call it: 1 to 200 printable characters. Names may repeat.")
@lifetime_option()
@click.option("--default-lifetime", is_flag=True, help="Let the deployment decide how long its tokens live.")
@json_option
def change(*, tenant_id: str, name: str | None, lifetime: int | None, default_lifetime: bool, as_json: bool) -> None:
    """Change what is given, and leave the rest. Tokens that were issued before keep what they say."""
    new_name = UNSET if name is None else name
    new_lifetime = chosen("--lifetime", lifetime, "--default-lifetime", reset=default_lifetime)
    need_a_change(new_name, new_lifetime)
    with registry_change() as change:
        tenant = change_tenant(change, tenant_id, name=new_name, lifetime=new_lifetime)
    print_thing(_members(tenant), as_json=as_json)


@tenants.command(epilog=example("tenants delete ten_…", "tenants delete ten_… --yes --wait"))
@click.argument("tenant_id", metavar="ID", type=IDENTIFIER)
@yes_option
@wait_options
@json_option
def delete(*, tenant_id: str, yes: bool, wait: bool, wait_timeout: float, as_json: bool) -> None:
    """Remove a tenant for good, with its applications and their secrets, and have the tokens that they hold refused.

    There is no way back, and its ID is never given again. The audit trail keeps it. To only cut it off, disable it.
    """
    with opened_registry() as registry:
        with registry.refusals_settled(), registry.view() as view:
            tenant = get_tenant(view, tenant_id)
            count = count_applications(view, tenant_id=tenant_id)
        takes = f"Its applications ({count}) go with it, their secrets end and their tokens are void, for ever."
        confirm(f"Delete the tenant {tenant_id} ({tenant.name})?", takes, yes=yes)
        with registry.change(actor()) as change:
            members = {**_members(get_tenant(change, tenant_id)), "state": "deleted"}
            members |= {"applications": count_applications(change, tenant_id=tenant_id)}
            delete_tenant(change, tenant_id)
        done = Done(change.version, members, lambda: print_thing(members, as_json=False))
        conclude(registry, done, wait=wait, wait_timeout=wait_timeout, as_json=as_json)


def _members(tenant: Tenant) -> Members:
    return {
        "tenantId": tenant.tenant_id,
        "name": tenant.name,
        "state": "enabled" if tenant.disabled_at is None else "disabled",
        "lifetime": tenant.lifetime,
        "createdAt": iso_time(tenant.created_at),
        "disabledAt": iso_time(tenant.disabled_at),
    }
