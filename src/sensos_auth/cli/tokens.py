"""``sensos-auth tokens``: access tokens, which are never taken from the command line nor printed."""

import json
import os
from dataclasses import dataclass
from typing import BinaryIO

import click
from click.core import ParameterSource

from sensos_auth.cli.failing import Refused
from sensos_auth.cli.opening import actor, opened_registry, registry_view
from sensos_auth.cli.parameters import TOKEN_ID, example, json_option
from sensos_auth.cli.printing import Members, from_now, iso_time, print_json, print_thing
from sensos_auth.cli.waiting import Done, conclude, wait_options
from sensos_auth.issuing.configuration import token_settings
from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.revocation import Provenance
from sensos_auth.registry import View
from sensos_auth.registry.revocations import is_void, revocations_version, revoke_token
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.server.issued_token import token_subject
from sensos_auth.verifying import InvalidToken, LocalJwks, Verifier
from sensos_auth.verifying.compact_jws import LARGEST_TOKEN, parse_compact_jws
from sensos_auth.verifying.strict_json import parse_object

_token_file = click.option(
    "--file", type=click.File("rb"), default="-", help="The file that holds the token.  [default: stdin]"
)


@click.group(epilog=example("tokens inspect < token.txt", "tokens revoke < token.txt"))
def tokens() -> None:
    """Access tokens: look into one, revoke one."""


@tokens.command(epilog=example("tokens inspect < token.txt", "tokens inspect --file token.txt --json"))
@_token_file
@json_option
def inspect(*, file: BinaryIO, as_json: bool) -> None:
    """Print the header and the claims of an access token, and whether it is accepted now.

    It is judged by the signing keys and the revocations of this registry, and by SENSOS_AUTH_ISSUER and
    SENSOS_AUTH_AUDIENCE. Exit status 1 if it is not accepted. The token is not an argument, where the list of
    processes and the shell's history would show it.
    """
    token = _read_token(file)
    try:
        jws = parse_compact_jws(token)
        claims = parse_object(jws.payload)
    except InvalidToken as error:
        raise Refused(f"this is not an access token: {error.reason}") from None
    except ValueError:
        raise Refused("this is not an access token: the claims are not a JSON object") from None
    with registry_view() as view:
        verdict = _judge(token, view)
        now = view.now
    if as_json:
        print_json({"header": jws.header, "claims": claims, "accepted": verdict.accepted, "reason": verdict.reason})
    else:
        click.echo(f"header\n{json.dumps(jws.header, indent=2)}\n\nclaims\n{json.dumps(claims, indent=2)}\n")
        for word, name in (("issued", "iat"), ("expires", "exp")):
            click.echo(f"{word:9} {_time(claims.get(name), now)}")
        click.echo(f"{'accepted':9} {'yes' if verdict.accepted else f'no: {verdict.reason}'}")
    if not verdict.accepted:
        click.get_current_context().exit(1)


@tokens.command(epilog=example("tokens revoke < token.txt", "tokens revoke --token-id JTI"))
@_token_file
@click.option("--token-id", type=TOKEN_ID, metavar="JTI", help="Its claim jti, for who has no more of it than a log.")
@wait_options
@json_option
def revoke(*, file: BinaryIO, token_id: str | None, wait: bool, wait_timeout: float, as_json: bool) -> None:
    """Have an access token refused from now on, by every verifier within a second.

    Nothing else of its application is touched, which gets a new one with its next request. Of the token itself,
    signature and issuer are checked first, and one that has expired needs no revoking. With --token-id nothing can be
    checked, and the ID is remembered for a day.
    """
    source = click.get_current_context().get_parameter_source("file")
    if token_id is not None and source is not ParameterSource.DEFAULT:
        raise click.UsageError("--file and --token-id exclude each other: which token is it?")
    with opened_registry() as registry:
        if token_id is not None:
            subject = _Subject(token_id)
        else:
            token = _read_token(file)
            with registry.view() as view:
                subject = _subject_of(token, view)
                if subject.expires_at is not None and subject.expires_at <= view.now:
                    _print_expired(subject, as_json=as_json)
                    return
        with registry.change(actor()) as change:
            revoke_token(
                change,
                subject.token_id,
                expires_at=subject.expires_at,
                tenant_id=subject.tenant_id,
                application_id=subject.application_id,
            )
        members = _members(subject, "revoked")
        done = Done(change.version, members, lambda: print_thing(members, as_json=False))
        conclude(registry, done, wait=wait, wait_timeout=wait_timeout, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Subject:
    token_id: str
    expires_at: int | None = None
    tenant_id: str | None = None
    application_id: str | None = None


def _subject_of(token: str, view: View) -> _Subject:
    """Return what the token says of itself, once it is certain that this issuer signed it; raises Refused."""
    try:
        subject = token_subject(token, view, token_settings(os.environ).issuer)
    except InvalidInput as error:
        raise Refused(str(error)) from None
    return _Subject(subject.token_id, subject.expires_at, subject.tenant_id, subject.application_id)


def _print_expired(subject: _Subject, *, as_json: bool) -> None:
    print_thing(_members(subject, "expired"), as_json=as_json)
    if not as_json:
        click.echo("\nThe token has expired: no verifier accepts it, and there is nothing to revoke.")


def _members(subject: _Subject, state: str) -> Members:
    return {
        "tokenId": subject.token_id,
        "tenantId": subject.tenant_id,
        "applicationId": subject.application_id,
        "state": state,
        "expiresAt": iso_time(subject.expires_at),
    }


@dataclass(frozen=True, slots=True)
class _Verdict:
    accepted: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Revocations:
    view: View

    def generation(self) -> int:
        return revocations_version(self.view)

    def voids(self, token: Provenance) -> bool:
        return is_void(self.view, token)


def _judge(token: str, view: View) -> _Verdict:
    published = [json.loads(key.public_jwk) for key in list_signing_keys(view) if key.is_published(view.now)]
    if not published:
        return _Verdict(accepted=False, reason="this registry publishes no signing key")
    settings = token_settings(os.environ)
    verifier = Verifier(
        issuer=settings.issuer,
        audience=settings.audience,
        keys=LocalJwks(json.dumps({"keys": published})),
        revocations=_Revocations(view),
        clock=lambda: view.now,
    )
    try:
        verifier.verify(token)
    except InvalidToken as error:
        return _Verdict(accepted=False, reason=error.reason)
    return _Verdict(accepted=True, reason=None)


def _read_token(file: BinaryIO) -> str:
    if file.isatty():
        text: str = click.prompt("Access token (not shown)", hide_input=True, err=True)
    else:
        # Up to the limit and white space around it: what is larger is no token, and is refused as such.
        text = file.read(2 * LARGEST_TOKEN).decode("ascii", "replace")
    token = text.strip()
    if not token:
        raise InvalidInput("no token was given: pass it on standard input or with --file")
    return token


def _time(claim: object, now: int) -> str:
    if isinstance(claim, int) and 0 < claim < 1 << 37:
        return from_now(claim, now)
    return "not said"
