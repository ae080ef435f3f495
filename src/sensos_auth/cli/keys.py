"""``sensos-auth keys``: the signing keys, which `serve` rotates by itself."""

import os
import sys
from pathlib import Path

import click

from sensos_auth.cli.naming_verifiers import name_verifiers, named_in_json
from sensos_auth.cli.opening import actor, opened_registry, registry_view
from sensos_auth.cli.paging import page_options
from sensos_auth.cli.parameters import IDENTIFIER, example, json_option
from sensos_auth.cli.printing import Members, from_now, in_words, iso_time, print_json, print_page, print_thing
from sensos_auth.cli.waiting import Done, conclude, wait_options
from sensos_auth.issuing import key_rotation
from sensos_auth.issuing.configuration import obtain_master_key, signing_algorithm
from sensos_auth.issuing.key_pair import public_pem
from sensos_auth.issuing.rewrap import rewrap
from sensos_auth.model.errors import NotFound
from sensos_auth.model.signing_key import KeyState, SigningKey, active_key
from sensos_auth.registry.pages import cut_page
from sensos_auth.registry.revocations import revocations_version
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.transactions import unix_milliseconds
from sensos_auth.registry.verifiers import verifiers_without_key

_JWKS_MAX_AGE = "300 s"


@click.group(epilog=example("keys list", "keys rotate"))
def keys() -> None:
    """Signing keys. The service makes the first one and rotates them by itself, every 30 days."""


@keys.command("list", epilog=example("keys list"))
@page_options
@json_option
def list_command(*, cursor: str | None, limit: int, as_json: bool) -> None:
    """Print the signing keys, in the order in which they sign."""
    with registry_view() as view:
        found = list_signing_keys(view)
        now = view.now
    if cursor is not None:
        kids = [key.kid for key in found]
        if cursor not in kids:
            raise NotFound(f"there is no signing key {cursor}")
        found = found[kids.index(cursor) + 1 :]
    page, next_cursor = cut_page(found, limit, lambda key: key.kid)
    rows = [_members(key, now) for key in page] if as_json else [_row(key, now) for key in page]
    columns = ("kid", "algorithm", "state", "signsFrom", "signsUntil", "publishedUntil")
    print_page("keys", rows, next_cursor, as_json=as_json, columns=columns)


@keys.command(epilog=example("keys rotate"))
@click.option("--immediately", is_flag=True, help="For emergencies: let the next key sign now, at the cost told above.")
@json_option
def rotate(*, immediately: bool, as_json: bool) -> None:
    """Let the next signing key take over: in 48 hours, by when every verifier knows it.

    While a live verifier that reports its keys lacks this one, it waits: for 24 hours more at most.

    With --immediately it signs at once. The cost: a verifier that has not fetched the new key refuses its tokens
    until it has, which takes up to 300 s (the max-age of the JWKS), unless it fetches at an unknown key ID. Tokens
    of the key before stay good; to end them, use `keys revoke`.
    """
    with opened_registry() as registry:
        master_key, algorithm = obtain_master_key(registry, os.environ), signing_algorithm(os.environ)
        key = key_rotation.rotate(registry, master_key, algorithm, actor=actor(), immediately=immediately)
        with registry.view() as view:
            now = view.now
            lacking = verifiers_without_key(view, key.kid, unix_milliseconds())
    if as_json:
        without = {"verifiersWithoutKey": named_in_json(lacking)} if immediately else {}
        print_json({**_members(key, now), **without})
        return
    print_thing(_row(key, now), as_json=False)
    click.echo()
    if immediately:
        if lacking:
            click.echo(f"Live verifiers that do not hold it: {name_verifiers(lacking)}.")
        click.echo(
            "The key signs now. Verifiers that have not fetched it yet refuse its tokens until they have: up to "
            f"{_JWKS_MAX_AGE} (the max-age of the JWKS), or until they fetch at an unknown key ID."
        )
    elif key.signs_from > now:
        wait = in_words(key.signs_from - key.created_at)  # made just now
        click.echo(f"The key is published, and signs in {wait}. Nothing else is to be done.")
    else:
        click.echo("The key is the first one, and signs now.")


# A thumbprint may begin with a hyphen: what is no option is the key ID.
@keys.command(epilog=example("keys pem", "keys pem KID > KID.pem"), context_settings={"ignore_unknown_options": True})
@click.argument("kid", type=IDENTIFIER, required=False)
@json_option
def pem(*, kid: str | None, as_json: bool) -> None:
    """Print the public keys that the JWKS lists as PEM, or the one named: for gateways that read no JWKS.

    A gateway needs each of them, with the algorithm told here, and has to be told of a new one within 48 hours.
    """
    with registry_view() as view:
        now = view.now
        found = [key for key in list_signing_keys(view) if key.is_published(now) and kid in {None, key.kid}]
    if kid is not None and not found:
        raise NotFound(f"the JWKS lists no signing key {kid}")
    if as_json:
        print_json({"keys": [{**_members(key, now), "pem": public_pem(key.public_jwk)} for key in found]})
        return
    for key in found:
        if kid is None:
            click.echo(f"# {key.kid} {key.algorithm} {key.state(now)}")
        click.echo(public_pem(key.public_jwk), nl=False)


# A thumbprint may begin with a hyphen: what is no option is the key ID.
@keys.command(epilog=example("keys revoke KID"), context_settings={"ignore_unknown_options": True})
@click.argument("kid", type=IDENTIFIER)
@click.option("--yes", is_flag=True, help="Don't ask.")
@wait_options
@json_option
def revoke(*, kid: str, yes: bool, wait: bool, wait_timeout: float, as_json: bool) -> None:
    """End a signing key at once, for ever: it leaves the JWKS, and its private half is erased.

    Verifiers that follow the revocation feed refuse the tokens that it signed within a second, others from their next
    fetch of the JWKS, within 300 s while they reach the service; applications have to get new tokens. If the key was
    active, another one signs from now on, and verifiers that have not fetched that one refuse its tokens until they
    have.
    """
    if not yes and sys.stdin.isatty():
        click.echo(_what_revoking_does(), err=True)
        click.confirm(f"Revoke the signing key {kid}?", abort=True, err=True)
    with opened_registry() as registry:
        master_key, algorithm = obtain_master_key(registry, os.environ), signing_algorithm(os.environ)
        revoked = key_rotation.revoke(registry, master_key, algorithm, kid, actor=actor())
        with registry.view() as view:
            now = view.now
            active = active_key(list_signing_keys(view), now)
            version = revocations_version(view)
        active_kid = None if active is None else active.kid

        def show() -> None:
            print_thing({**_row(revoked, now), "activeKid": active_kid}, as_json=False)
            click.echo()
            click.echo(_what_revoking_does())

        done = Done(version, {**_members(revoked, now), "activeKid": active_kid}, show)
        conclude(registry, done, wait=wait, wait_timeout=wait_timeout, as_json=as_json)


@keys.command("rewrap", epilog=example("keys rewrap", "keys rewrap --new-master-key-file new-master.key"))
@click.option(
    "--new-master-key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The new master key; made where it is not there.  [default: a fresh one, in the deployment's own file]",
)
@json_option
def rewrap_command(*, new_master_key_file: Path | None, as_json: bool) -> None:
    """Rotate the master key: seal every private key under a new one, while the service runs.

    Signing keys, tokens and the JWKS stay as they are. Backups that were made before open with the old master key only:
    keep the copy of it as long as them. If this is interrupted, run it again: it goes on from there.
    """
    with opened_registry() as registry:
        done = rewrap(registry, os.environ, actor=actor(), new_master_key_file=new_master_key_file)
        may_have_other_nodes = registry.database.settles_in > 0
    members = {"keys": done.keys, "newMasterKeyFile": None if done.new_file is None else str(done.new_file)}
    print_thing({**members, "isComplete": done.is_complete}, as_json=as_json)
    if as_json:
        return
    click.echo()
    if done.is_complete:
        click.echo(
            "The service goes on by itself. Make a copy of the new master key: without it no token can be issued."
        )
        if may_have_other_nodes:
            click.echo(
                "And give every other node the new one now: they sign on with the keys that they hold, but without it "
                "none of them starts, or signs with the next key."
            )
    elif done.new_file is None:
        click.echo("Take the first of the two keys out of SENSOS_AUTH_MASTER_KEY now.")
    else:
        click.echo(
            "The running service signs on with the keys that it holds, but no process starts with the old master key "
            f"any more. Before the next start, put the content of {done.new_file} into SENSOS_AUTH_MASTER_KEY, or "
            f"unset that and set SENSOS_AUTH_MASTER_KEY_FILE to {done.new_file}. Do it now, and restart: a worker that "
            "ends could not be replaced."
        )


def _what_revoking_does() -> str:
    return (
        "Verifiers that follow the revocation feed refuse the tokens that a revoked key signed within a second, others "
        f"from their next fetch of the JWKS, within {_JWKS_MAX_AGE} while they reach the service; applications have to "
        "get new tokens. Where another key takes over at once, verifiers that have not fetched it refuse its tokens "
        "until they have."
    )


def _members(key: SigningKey, now: int) -> Members:
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": key.state(now),
        "createdAt": iso_time(key.created_at),
        "signsFrom": iso_time(key.signs_from),
        "signsUntil": iso_time(key.signs_until),
        "publishedUntil": iso_time(key.published_until),
        "revokedAt": iso_time(key.revoked_at),
    }


def _row(key: SigningKey, now: int) -> Members:
    open_end = "-" if key.state(now) is KeyState.REVOKED else "its successor signs"
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": key.state(now).value,
        "signsFrom": from_now(key.signs_from, now),
        "signsUntil": from_now(key.signs_until, now, never=open_end),
        "publishedUntil": from_now(key.published_until, now, never="-"),
    }
