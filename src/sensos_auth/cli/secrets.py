"""``sensos-auth secrets``: several can be valid at once, so that they are rotated without downtime."""

import click

from sensos_auth.cli.opening import actor, opened_registry, registry_change, registry_view
from sensos_auth.cli.paging import cut_page, page_options
from sensos_auth.cli.parameters import IDENTIFIER, example, json_option
from sensos_auth.cli.printing import Members, from_now, iso_time, print_page, print_thing
from sensos_auth.cli.showing_secrets import print_new_secret
from sensos_auth.cli.waiting import Done, conclude, wait_options
from sensos_auth.model.application_secret import Secret
from sensos_auth.registry.secrets import create_secret, list_secrets, revoke_secret


@click.group(epilog=example("secrets create --application app_…", "secrets revoke sec_…"))
def secrets() -> None:
    """Application secrets: make the next one, hand it over, then revoke the old one."""


@secrets.command(epilog=example("secrets create --application app_… --expires-in 7776000"))
@click.option(
    "--application", "application_id", required=True, type=IDENTIFIER, metavar="ID", help="The application it is for."
)
@click.option("--expires-in", type=int, metavar="SECONDS", help="When it stops working.  [default: never]")
@json_option
def create(*, application_id: str, expires_in: int | None, as_json: bool) -> None:
    """Make a further secret, which is shown this once. The others stay valid."""
    with registry_change() as change:
        secret, shown = create_secret(change, application_id=application_id, expires_in=expires_in)
        members = _members(secret, change.now)
    print_new_secret(members, shown, as_json=as_json)


@secrets.command("list", epilog=example("secrets list --application app_…"))
@click.option(
    "--application", "application_id", required=True, type=IDENTIFIER, metavar="ID", help="The application they are of."
)
@page_options
@json_option
def list_command(*, application_id: str, cursor: str | None, limit: int, as_json: bool) -> None:
    """Print the application's secrets by their IDs, in the order of their creation."""
    with registry_view() as view:
        found = list_secrets(view, application_id, after=cursor, limit=limit + 1)
        rows = [_members(secret, view.now) for secret in found]
    page, next_cursor = cut_page(rows, limit, lambda row: str(row["secretId"]))
    if not as_json:
        page = [
            {**row, "expiresAt": from_now(secret.expires_at, view.now)}
            for row, secret in zip(page, found, strict=False)
        ]
    print_page("secrets", page, next_cursor, as_json=as_json, columns=("secretId", "state", "createdAt", "expiresAt"))


@secrets.command(epilog=example("secrets revoke sec_…", "secrets revoke sec_… --with-tokens --wait"))
@click.argument("secret_id", metavar="ID", type=IDENTIFIER)
@click.option("--with-tokens", is_flag=True, help="Have the tokens that were obtained with it refused, too.")
@wait_options
@json_option
def revoke(*, secret_id: str, with_tokens: bool, wait: bool, wait_timeout: float, as_json: bool) -> None:
    """Refuse the secret from now on, for ever.

    Tokens that were obtained with it are accepted until they expire, so that a rotation disturbs nobody. If the secret
    has leaked, add --with-tokens, also when it is revoked already: verifiers that follow the revocation feed refuse
    its tokens within a second, and those of the application's other secrets stay good.
    """
    if wait and not with_tokens:
        raise click.UsageError("--wait needs --with-tokens: without it, verifiers have nothing to refuse")
    with opened_registry() as registry:
        with registry.change(actor()) as change:
            members = _members(revoke_secret(change, secret_id, with_tokens=with_tokens), change.now)
        done = Done(change.version, members, lambda: print_thing(members, as_json=False))
        conclude(registry, done, wait=wait, wait_timeout=wait_timeout, as_json=as_json)


def _members(secret: Secret, now: int) -> Members:
    return {
        "secretId": secret.secret_id,
        "applicationId": secret.application_id,
        "state": secret.state(now),
        "createdAt": iso_time(secret.created_at),
        "expiresAt": iso_time(secret.expires_at),
        "revokedAt": iso_time(secret.revoked_at),
    }
