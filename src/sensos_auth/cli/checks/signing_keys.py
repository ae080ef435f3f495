"""Checks of the signing keys and of the master key that opens them."""

from collections.abc import Iterator, Mapping

from sensos_auth.cli.checks.finding import Finding, ok, warning, wrong
from sensos_auth.cli.naming_verifiers import name_verifiers
from sensos_auth.cli.printing import in_words
from sensos_auth.issuing.configuration import master_key_file
from sensos_auth.issuing.master_key import MasterKey, parse_master_key, read_master_key
from sensos_auth.issuing.takeover import WAITS_AT_MOST
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.signing_key import SIGNS_FOR, KeyState, SigningKey, active_key, rotation_due
from sensos_auth.registry import View
from sensos_auth.registry.feed_keys import list_feed_keys
from sensos_auth.registry.signing_keys import list_signing_keys, sealed_private_key
from sensos_auth.registry.verifiers import verifiers_without_key

# Seconds: three times the max-age of the JWKS.
_FETCHED_WITHIN = 900
_VARIABLE = "SENSOS_AUTH_MASTER_KEY"


def check_signing_keys(view: View, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the master key, the active signing key, the rotation, and who does not know the next key."""
    keys = list_signing_keys(view)
    yield _master_key(view, keys, environment)
    if not keys:
        yield warning("signing key", "there is none yet: serve makes the first one when it starts")
        return
    active = active_key(keys, view.now)
    if active is None or not active.has_private_key:
        yield wrong(
            "signing key", "none is active, so no token can be issued: run sensos-auth keys rotate --immediately"
        )
        return
    yield ok("signing key", f"{active.kid} ({active.algorithm}) signs since {in_words(view.now - active.signs_from)}")
    if rotation_due(keys, view.now):
        age = in_words(view.now - active.signs_from)
        yield warning(
            "rotation",
            f"the active key signs since {age} instead of {in_words(SIGNS_FOR)} and has no successor: start serve, "
            "which publishes it, or run sensos-auth keys rotate",
        )
    else:
        yield ok("rotation", "on schedule")
    yield from _verifiers(view, keys)


def _verifiers(view: View, keys: list[SigningKey]) -> Iterator[Finding]:
    for key in keys:
        if key.state(view.now) is KeyState.UPCOMING and view.now - key.created_at > _FETCHED_WITHIN:
            lacking = verifiers_without_key(view, key.kid, view.now * 1000)
            if lacking:
                yield warning(
                    "verifiers",
                    f"{name_verifiers(lacking)}: without the key {key.kid}, which signs in "
                    f"{in_words(key.signs_from - view.now)}. Let them fetch the JWKS, or start them anew: a takeover "
                    f"waits for {in_words(WAITS_AT_MOST)} at most, and then they refuse its tokens",
                )


def _master_key(view: View, keys: list[SigningKey], environment: Mapping[str, str]) -> Finding:
    sealed = {key.kid: sealed_private_key(view, key.kid) for key in keys}
    sealed |= {key.kid: key.sealed_private_key for key in list_feed_keys(view)}
    try:
        master_key, source = _configured(environment)
        if master_key is None:
            if any(sealed.values()):
                return wrong(
                    "master key",
                    f"{source} is missing, and the signing keys can't be opened without it: "
                    f"put it back, or set {_VARIABLE} or {_VARIABLE}_FILE",
                )
            return ok("master key", f"{source} does not exist yet, and is made with the first signing key")
        for kid, private_key in sealed.items():
            if private_key is not None:
                master_key.open(kid, private_key)
    except ConfigurationError as error:
        return wrong("master key", error)
    if master_key.is_being_rotated:
        return warning(
            "master key",
            f"{source} holds two, because its rotation has not come to its end: run sensos-auth keys rewrap",
        )
    return ok("master key", f"{source} opens every signing key")


def _configured(environment: Mapping[str, str]) -> tuple[MasterKey | None, str]:
    text = environment.get(_VARIABLE)
    if text is not None:
        return parse_master_key(text, _VARIABLE), _VARIABLE
    path = master_key_file(environment)
    return read_master_key(path), str(path)
