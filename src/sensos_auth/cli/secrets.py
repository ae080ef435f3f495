"""``sensos-auth secrets``: several can be valid at once, so that they are rotated without downtime."""

import click
from msgspec import UNSET

from sensos_auth.cli.changing import chosen, need_a_change
from sensos_auth.cli.opening import actor, opened_registry, registry_change, registry_view
from sensos_auth.cli.paging import page_options
from sensos_auth.cli.parameters import IDENTIFIER, example, json_option
from sensos_auth.cli.printing import Members, from_now, in_words, iso_time, print_json, print_page, print_thing
from sensos_auth.cli.showing_secrets import print_new_secret
from sensos_auth.cli.waiting import Done, conclude, wait_options
from sensos_auth.model.application_secret import Secret
from sensos_auth.registry.pages import cut_page
from sensos_auth.registry.retirement import RetirementAdvice, retirement_advice
from sensos_auth.registry.secret_warnings import ending_secrets
from sensos_auth.registry.secrets import (
    change_secret,
    create_secret,
    get_secret,
    list_secrets,
    revoke_secret,
    rotate_secret,
)

_DAY = 86_400
_label_option = click.option("--label", help="What people call it, at most 100 printable characters.")


@click.group(epilog=example("secrets rotate --application app_…", "secrets list --application app_…"))
def secrets() -> None:
    """Application secrets: make the next one, hand it over, and revoke the old one when nobody uses it any more."""


@secrets.command(epilog=example("secrets create --application app_… --expires-in 7776000"))
@click.option(
    "--application", "application_id", required=True, type=IDENTIFIER, metavar="ID", help="The application it is for."
)
@click.option("--expires-in", type=int, metavar="SECONDS", help="When it stops working.  [default: never]")
@_label_option
@json_option
def create(*, application_id: str, expires_in: int | None, label: str | None, as_json: bool) -> None:
    """Make a further secret, which is shown this once. The others stay valid."""
    with registry_change() as change:
        secret, shown = create_secret(change, application_id=application_id, expires_in=expires_in, label=label or "")
        members = _members(secret, change.now)
    print_new_secret(members, shown, as_json=as_json)


@secrets.command(
    epilog=example(
        "secrets rotate --application app_… --old-end-in 604800",
        "secrets rotate --application app_… --retire-old-unused-for 172800",
    )
)
@click.option(
    "--application", "application_id", required=True, type=IDENTIFIER, metavar="ID", help="The application it is for."
)
@click.option("--old-end-in", type=int, metavar="SECONDS", help="When the others stop working.  [default: as it is]")
@click.option(
    "--retire-old-unused-for",
    type=int,
    metavar="SECONDS",
    help="Revoke the others by themselves when they were not used for so long.  [default: don't]",
)
@click.option("--expires-in", type=int, metavar="SECONDS", help="When the new one stops working.  [default: never]")
@_label_option
@json_option
def rotate(
    *,
    application_id: str,
    old_end_in: int | None,
    retire_old_unused_for: int | None,
    expires_in: int | None,
    label: str | None,
    as_json: bool,
) -> None:
    """Make a new secret, which is shown this once, and say when the others end. Until then all of them are valid.

    `secrets list` tells when it is safe to revoke an old one.
    """
    with registry_change() as change:
        rotation = rotate_secret(
            change,
            application_id=application_id,
            old_end_in=old_end_in,
            retire_old_unused_for=retire_old_unused_for,
            expires_in=expires_in,
            label=label or "",
        )
        now = change.now
    new = _members(rotation.new.kept, now)
    if as_json:
        ending = [_members(secret, now) for secret in rotation.ending]
        print_json({**new, "applicationSecret": rotation.new.shown, "ending": ending})
        return
    print_new_secret(new, rotation.new.shown, as_json=False)
    for secret in rotation.ending:
        click.echo(f"The secret {secret.secret_id} {_end_in_words(secret, now)}.")


@secrets.command("list", epilog=example("secrets list --application app_…"))
@click.option(
    "--application", "application_id", required=True, type=IDENTIFIER, metavar="ID", help="The application they are of."
)
@page_options
@json_option
def list_command(*, application_id: str, cursor: str | None, limit: int, as_json: bool) -> None:
    """Print the application's secrets by their IDs, in the order of their creation, and which are safe to revoke."""
    with registry_view() as view:
        found = list_secrets(view, application_id, after=cursor, limit=limit + 1)
        page, next_cursor = cut_page(found, limit, lambda secret: secret.secret_id)
        advised = [(secret, retirement_advice(view, secret)) for secret in page]
    if as_json:
        rows = [_advised_members(secret, advice, view.now) for secret, advice in advised]
    else:
        rows = [_row(secret, advice, view.now) for secret, advice in advised]
    columns = ("secretId", "label", "state", "createdAt", "expiresAt", "retirement")
    print_page("secrets", rows, next_cursor, as_json=as_json, columns=columns)


@secrets.command(epilog=example("secrets show sec_…", "secrets show sec_… --fail-unless-safe-to-retire"))
@click.argument("secret_id", metavar="ID", type=IDENTIFIER)
@click.option(
    "--fail-unless-safe-to-retire", "must_be_safe", is_flag=True, help="Exit status 1 unless it is safe to revoke it."
)
@json_option
def show(*, secret_id: str, must_be_safe: bool, as_json: bool) -> None:
    """Print what is kept of a secret, its last use, and whether it is safe to revoke it."""
    with registry_view() as view:
        secret = get_secret(view, secret_id)
        advice = retirement_advice(view, secret)
    print_thing(_advised_members(secret, advice, view.now), as_json=as_json)
    if must_be_safe and not advice.is_safe:
        click.get_current_context().exit(1)


@secrets.command(epilog=example('secrets change sec_… --label "plant 4"', "secrets change sec_… --never-expires"))
@click.argument("secret_id", metavar="ID", type=IDENTIFIER)
@_label_option
@click.option("--expires-in", type=int, metavar="SECONDS", help="When it stops working, counted from now.")
@click.option("--never-expires", is_flag=True, help="Let it work until it is revoked.")
@click.option(
    "--retire-unused-for",
    type=int,
    metavar="SECONDS",
    help="Revoke it by itself when it was not used for so long from now on, if the application has another good one.",
)
@click.option("--never-retires", is_flag=True, help="Don't revoke it by itself.")
@json_option
def change(
    *,
    secret_id: str,
    label: str | None,
    expires_in: int | None,
    never_expires: bool,
    retire_unused_for: int | None,
    never_retires: bool,
    as_json: bool,
) -> None:
    """Change what is given, and leave the rest. What is revoked or has expired stays so."""
    new_label = UNSET if label is None else label
    new_end = chosen("--expires-in", expires_in, "--never-expires", reset=never_expires)
    unused_for = chosen("--retire-unused-for", retire_unused_for, "--never-retires", reset=never_retires)
    need_a_change(new_label, new_end, unused_for)
    with registry_change() as change:
        expires_at = change.now + new_end if isinstance(new_end, int) else new_end
        secret = change_secret(change, secret_id, label=new_label, expires_at=expires_at, retire_unused_for=unused_for)
    print_thing(_members(secret, change.now), as_json=as_json)


@secrets.command(epilog=example("secrets expiring --within 14 || echo 'rotate them'"))
@click.option(
    "--within", type=click.IntRange(1, 36_500), default=30, show_default=True, metavar="DAYS", help="How soon."
)
@json_option
def expiring(*, within: int, as_json: bool) -> None:
    """Print the secrets that end soon, of enabled applications: for monitoring. Exit status 1 when there are any."""
    with registry_view() as view:
        found = ending_secrets(view, within * _DAY)
    rows: list[Members] = [
        {
            "secretId": secret.secret_id,
            "applicationId": secret.application_id,
            "tenantId": secret.tenant_id,
            "label": secret.label,
            "expiresAt": iso_time(secret.expires_at) if as_json else from_now(secret.expires_at, view.now),
        }
        for secret in found
    ]
    columns = ("secretId", "label", "applicationId", "tenantId", "expiresAt")
    if rows or as_json:
        print_page("secrets", rows, None, as_json=as_json, columns=columns)
    else:
        click.echo(f"No secret ends within {in_words(within * _DAY)}.")
    if rows:
        click.get_current_context().exit(1)


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
        "label": secret.label,
        "state": secret.state(now),
        "createdAt": iso_time(secret.created_at),
        "expiresAt": iso_time(secret.expires_at),
        "revokedAt": iso_time(secret.revoked_at),
        "retireUnusedFor": secret.retire_unused_for,
    }


def _advised_members(secret: Secret, advice: RetirementAdvice, now: int) -> Members:
    return {
        **_members(secret, now),
        "lastUsedAt": iso_time(advice.last_used_at),
        "tokensExpireAt": iso_time(advice.tokens_expire_at),
        "tokensAlive": advice.tokens_alive,
        "isSafeToRetire": advice.is_safe,
        "retirement": advice.says,
    }


def _row(secret: Secret, advice: RetirementAdvice, now: int) -> Members:
    return {**_advised_members(secret, advice, now), "expiresAt": from_now(secret.expires_at, now)}


def _end_in_words(secret: Secret, now: int) -> str:
    unused_for = secret.retire_unused_for
    ends = [] if secret.expires_at is None else [f"at {from_now(secret.expires_at, now)}"]
    ends += [] if unused_for is None else [f"when it was not used for {in_words(unused_for)}"]
    return f"ends {', or '.join(ends)}" if ends else "stays valid until you revoke it"
