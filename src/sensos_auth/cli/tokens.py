"""``sensos-auth tokens``: access tokens, which are never taken from the command line nor printed."""

import json
import os
from dataclasses import dataclass
from typing import BinaryIO

import click

from sensos_auth.cli.failing import Refused
from sensos_auth.cli.opening import registry_view
from sensos_auth.cli.parameters import example, json_option
from sensos_auth.cli.printing import from_now, print_json
from sensos_auth.issuing.configuration import token_settings
from sensos_auth.model.errors import InvalidInput
from sensos_auth.registry import View
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.verifying import InvalidToken, LocalJwks, Verifier
from sensos_auth.verifying.compact_jws import LARGEST_TOKEN, parse_compact_jws
from sensos_auth.verifying.strict_json import parse_object


@click.group(epilog=example("tokens inspect < token.txt"))
def tokens() -> None:
    """Access tokens: look into one."""


@tokens.command(epilog=example("tokens inspect < token.txt", "tokens inspect --file token.txt --json"))
@click.option("--file", type=click.File("rb"), default="-", help="The file that holds the token.  [default: stdin]")
@json_option
def inspect(*, file: BinaryIO, as_json: bool) -> None:
    """Print the header and the claims of an access token, and whether it is accepted now.

    It is judged by the signing keys of this registry and by SENSOS_AUTH_ISSUER and SENSOS_AUTH_AUDIENCE. Exit status
    1 if it is not accepted. The token is not an argument, where the list of processes and the shell's history would
    show it.
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


@dataclass(frozen=True, slots=True)
class _Verdict:
    accepted: bool
    reason: str | None


def _judge(token: str, view: View) -> _Verdict:
    published = [json.loads(key.public_jwk) for key in list_signing_keys(view) if key.is_published(view.now)]
    if not published:
        return _Verdict(accepted=False, reason="this registry publishes no signing key")
    settings = token_settings(os.environ)
    keys = LocalJwks(json.dumps({"keys": published}))
    verifier = Verifier(issuer=settings.issuer, audience=settings.audience, keys=keys, clock=lambda: view.now)
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
