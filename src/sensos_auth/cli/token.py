"""``sensos-auth token``: a valid access token for scripts, from the credentials in the environment."""

import errno
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import click
import platformdirs

from sensos_auth.cli.parameters import example, json_option
from sensos_auth.cli.printing import print_json
from sensos_auth.client import Credentials, TokenServiceUnavailable, TokenSource
from sensos_auth.client.held_token import HeldToken, TokenState
from sensos_auth.client.kept_token import KeptToken
from sensos_auth.client.surroundings import seconds_since_boot
from sensos_auth.model.errors import InvalidInput

_PATIENCE = 30.0
_PATIENCE_WITH_TOKEN = 5.0  # seconds, while the one that is kept still serves

# The command says in its own words what went wrong: without this, logging would say it on stderr as well.
logging.getLogger("sensos_auth.client").addHandler(logging.NullHandler())

cache_option = click.option("--no-cache", is_flag=True, help="Get a fresh token, and keep it nowhere.")


@click.command(
    epilog=example("token", "token --header", "token --json")
    + '\n\n\b\nWith curl:\n  sensos-auth token --header | curl -H @- "$SENSOS_BASE_URL/v1/endpoint"'
)
@cache_option
@click.option("--header", is_flag=True, help="Print the whole Authorization header, as curl's -H takes it.")
@json_option
def token(*, no_cache: bool, header: bool, as_json: bool) -> None:
    """Print a valid access token.

    SENSOS_BASE_URL, SENSOS_TENANT_ID, SENSOS_APPLICATION_ID and SENSOS_APPLICATION_SECRET tell whose; each may have
    _FILE at its end and name a file that holds the value. The token is kept in a file of yours alone until three
    quarters of its life are over, so that scripts can run this as often as they like. It is a password: do not let it
    into logs.
    """
    if header and as_json:
        raise InvalidInput("--header and --json exclude each other")
    held = obtain_token(os.environ, use_cache=not no_cache)
    if as_json:
        remaining = int(held.expires_at - seconds_since_boot())
        print_json({"accessToken": held.token, "expiresIn": remaining})
    else:
        click.echo(f"Authorization: {held.authorization}" if header else held.token)


def obtain_token(environment: Mapping[str, str], *, use_cache: bool) -> HeldToken:
    """Return a token for the application of the environment: the one that is kept, or a new one.

    One process at a time gets a new one. The others wait for it, unless they have one that is merely stale. Raises what
    :meth:`TokenSource.token` does.
    """
    source = TokenSource.from_env(environment, patience=_PATIENCE)
    if not use_cache:
        return source.shared.get()
    try:
        kept = place_of(environment, source)
        held = kept.load()
        if held is not None and _is_fresh(held):
            return held
        with kept.locked(_wait_for_others(held)) as is_alone:
            if held is not None and not is_alone and _is_stale(held):
                return held
            return _renew(environment, kept)
    except OSError as error:
        _say_that_it_is_not_kept(error)
        return source.shared.get()


def place_of(environment: Mapping[str, str], source: TokenSource) -> KeptToken:
    """Return where the token of these credentials is kept; raises ConfigurationError, and OSError for nowhere."""
    credentials = Credentials.from_env(environment)
    identity = (source.base_url, credentials.tenant_id, credentials.application_id, credentials.current_secret())
    return KeptToken(_cache_folder(), identity)


def _cache_folder() -> Path:
    try:
        folder = platformdirs.user_cache_path("sensos-auth")
    except RuntimeError:  # a user without HOME whom the machine does not know, as in a container
        folder = Path()
    if not folder.is_absolute():
        raise OSError(errno.ENOENT, "there is no home folder; XDG_CACHE_HOME can name another place")
    return folder


def _renew(environment: Mapping[str, str], kept: KeptToken) -> HeldToken:
    held = kept.load()  # again: another process may have got one while this one waited
    if held is not None and _is_fresh(held):
        return held
    patience = _PATIENCE if held is None else _PATIENCE_WITH_TOKEN
    try:
        renewed = TokenSource.from_env(environment, patience=patience).shared.get()
    except TokenServiceUnavailable as error:
        if held is None:
            raise
        click.echo(f"The token that is kept still serves, but there is no new one: {error}", err=True)
        return held
    try:
        kept.save(renewed)
    except OSError as error:
        _say_that_it_is_not_kept(error)
    return renewed


def _say_that_it_is_not_kept(error: OSError) -> None:
    click.echo(f"The token is not kept for the next time: {error.strerror}.", err=True)


def _wait_for_others(held: HeldToken | None) -> float:
    if held is None:
        return _PATIENCE
    return 0.0 if _is_stale(held) else _PATIENCE_WITH_TOKEN


def _is_stale(held: HeldToken) -> bool:
    return held.state(seconds_since_boot()) is TokenState.STALE


def _is_fresh(held: HeldToken) -> bool:
    return held.state(seconds_since_boot()) is TokenState.FRESH
