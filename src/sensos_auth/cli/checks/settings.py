"""Checks of the program and of the environment's settings."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from urllib.parse import urlsplit

import apsw

from sensos_auth.cli.checks.finding import Finding, ok, warning, wrong
from sensos_auth.cli.checks.limits import VARIABLES as _LIMITS
from sensos_auth.cli.checks.limits import check_limits
from sensos_auth.issuing.configuration import signing_algorithm, token_settings
from sensos_auth.issuing.issuer import TokenSettings
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.loopback import is_loopback
from sensos_auth.registry.sqlite import check_engine
from sensos_auth.server.usage_writer import usage_is_counted
from sensos_auth.server.webhook import webhook_settings

_ISSUER, _AUDIENCE, _LIFETIME = "SENSOS_AUTH_ISSUER", "SENSOS_AUTH_AUDIENCE", "SENSOS_AUTH_TOKEN_LIFETIME"
_VARIABLES = (
    _ISSUER,
    _AUDIENCE,
    _LIFETIME,
    "SENSOS_AUTH_DATABASE_URL",
    "SENSOS_AUTH_DATABASE_URL_FILE",
    "SENSOS_AUTH_DATA_DIR",
    "SENSOS_AUTH_MASTER_KEY",
    "SENSOS_AUTH_MASTER_KEY_FILE",
    "SENSOS_AUTH_SIGNING_ALGORITHM",
    "SENSOS_AUTH_WEBHOOK_URL",
    "SENSOS_AUTH_WEBHOOK_SECRET",
    "SENSOS_AUTH_USAGE",
    *_LIMITS,
)


def check_settings(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the SQLite engine and at every setting that needs no registry."""
    yield _engine(apsw.sqlite_lib_version())
    yield from _spelling(environment)
    yield _issuer(environment)
    yield _audience(environment)
    yield _lifetime(environment)
    yield _algorithm(environment)
    yield _webhook(environment)
    yield _usage(environment)
    yield from check_limits(environment)


def _engine(version: str) -> Finding:
    try:
        check_engine(version)
    except ConfigurationError as error:
        return wrong("engine", error)
    return ok("engine", f"SQLite {version}")


def _spelling(environment: Mapping[str, str]) -> Iterator[Finding]:
    for name in sorted(environment):
        if name.startswith("SENSOS_AUTH") and name not in _VARIABLES:
            for meant in get_close_matches(name, _VARIABLES, n=1, cutoff=0.85):
                yield warning("variables", f"{name} is not known: if {meant} is meant, rename it")


def _issuer(environment: Mapping[str, str]) -> Finding:
    try:
        issuer = _settings_of(environment, _ISSUER).issuer
    except ConfigurationError as error:
        return wrong("issuer", error)
    url = urlsplit(issuer)
    if url.scheme == "https" or _is_this_machine(url.hostname or ""):
        return ok("issuer", issuer if _ISSUER in environment else f"{issuer} ({_ISSUER} is not set)")
    return wrong(
        "issuer",
        f"{issuer} is not https, so that anybody on the way can put other keys into the JWKS: "
        f"serve it over TLS and set {_ISSUER} to the https URL",
    )


def _audience(environment: Mapping[str, str]) -> Finding:
    try:
        return ok("audience", _settings_of(environment, _AUDIENCE).audience)
    except ConfigurationError as error:
        return wrong("audience", error)


def _lifetime(environment: Mapping[str, str]) -> Finding:
    try:
        return ok("lifetime", f"access tokens live {_settings_of(environment, _LIFETIME).lifetime} s by default")
    except ConfigurationError as error:
        return wrong("lifetime", error)


def _algorithm(environment: Mapping[str, str]) -> Finding:
    try:
        return ok("algorithm", f"new signing keys are for {signing_algorithm(environment)}")
    except ConfigurationError as error:
        return wrong("algorithm", error)


def _webhook(environment: Mapping[str, str]) -> Finding:
    try:
        settings = webhook_settings(environment)
    except ConfigurationError as error:
        return wrong("webhook", error)
    # Not the URL: receivers know each other by a secret in it.
    return ok("webhook", "none" if settings is None else "told of secrets that end soon")


def _usage(environment: Mapping[str, str]) -> Finding:
    try:
        is_counted = usage_is_counted(environment)
    except ConfigurationError as error:
        return wrong("usage", error)
    return ok("usage", f"usage and last use of secrets are {'counted' if is_counted else 'not counted'}")


def _settings_of(environment: Mapping[str, str], name: str) -> TokenSettings:
    # Alone, so that each mistake is found and not only the first.
    return token_settings({name: environment[name]} if name in environment else {})


def _is_this_machine(host: str) -> bool:
    return is_loopback(host) or host.endswith(".localhost")  # RFC 6761 section 6.3
