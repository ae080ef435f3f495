"""What issuing needs to know of this deployment, from the environment."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sensos_auth.issuing.issuer import TokenSettings
from sensos_auth.issuing.master_key import MasterKey, make_master_key, parse_master_key, read_keys
from sensos_auth.model.audience import checked_audience
from sensos_auth.model.errors import ConfigurationError, InvalidInput
from sensos_auth.model.lifetime import DEFAULT_LIFETIME, LONGEST_LIFETIME, checked_lifetime
from sensos_auth.model.signing_key import Algorithm, checked_algorithm
from sensos_auth.registry import Registry
from sensos_auth.registry.location import data_folder, home_expanded
from sensos_auth.registry.sealed_keys import sealed_keys

DEFAULT_ISSUER = "http://127.0.0.1:8000"
DEFAULT_AUDIENCE = "sensos-api"
_LONGEST_ISSUER = 512


def token_settings(environment: Mapping[str, str]) -> TokenSettings:
    """Return ``SENSOS_AUTH_ISSUER``, ``…_AUDIENCE`` and ``…_TOKEN_LIFETIME`` (seconds); raises ConfigurationError."""
    issuer = environment.get("SENSOS_AUTH_ISSUER", DEFAULT_ISSUER)
    if len(issuer) > _LONGEST_ISSUER or not _is_issuer(issuer):
        raise ConfigurationError(
            "SENSOS_AUTH_ISSUER must be an http(s) URL without user, query and fragment (RFC 8414 section 2), of at "
            f"most {_LONGEST_ISSUER} characters"
        )
    try:
        audience = checked_audience(environment.get("SENSOS_AUTH_AUDIENCE", DEFAULT_AUDIENCE))
    except InvalidInput as error:
        raise ConfigurationError(f"SENSOS_AUTH_AUDIENCE: {error}") from None
    text = environment.get("SENSOS_AUTH_TOKEN_LIFETIME", str(DEFAULT_LIFETIME))
    try:
        lifetime = checked_lifetime(int(text))
    except (ValueError, InvalidInput):
        raise ConfigurationError(
            f"SENSOS_AUTH_TOKEN_LIFETIME must be a whole number of seconds from 1 to {LONGEST_LIFETIME}"
        ) from None
    return TokenSettings(issuer, audience, lifetime)


def _is_issuer(text: str) -> bool:
    try:
        url = urlsplit(text)
        is_complete = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return is_complete and not set(text) & set("?#@\\ ") and text.isascii() and text.isprintable()


def signing_algorithm(environment: Mapping[str, str]) -> Algorithm:
    """Return ``SENSOS_AUTH_SIGNING_ALGORITHM``, which new keys are made for; raises ConfigurationError."""
    try:
        return checked_algorithm(environment.get("SENSOS_AUTH_SIGNING_ALGORITHM", "ES256"))
    except InvalidInput as error:
        raise ConfigurationError(f"SENSOS_AUTH_SIGNING_ALGORITHM: {error}") from None


def master_key_file(environment: Mapping[str, str]) -> Path:
    """Return ``SENSOS_AUTH_MASTER_KEY_FILE``, or ``master.key`` in the data folder; raises ConfigurationError."""
    chosen = environment.get("SENSOS_AUTH_MASTER_KEY_FILE")
    if chosen is None:
        return data_folder(environment) / "master.key"
    if not chosen.strip():
        raise ConfigurationError("SENSOS_AUTH_MASTER_KEY_FILE is empty: unset it, or set it to the path of the file")
    return home_expanded(chosen, "SENSOS_AUTH_MASTER_KEY_FILE")


def obtain_master_key(registry: Registry, environment: Mapping[str, str]) -> MasterKey:
    """Return the master key of this deployment; makes its file while the registry holds no key yet.

    Raises ConfigurationError when it is missing, unreadable, or not the one that the registry's keys are sealed with.
    """
    try:
        return _obtain(registry, environment)
    except ConfigurationError:  # or it was rotated between two of our looks
        return _obtain(registry, environment)


def _obtain(registry: Registry, environment: Mapping[str, str]) -> MasterKey:
    with registry.view() as view:
        sealed = sealed_keys(view)
    master_key = _configured_master_key(environment, may_be_made=not sealed)
    for key in sealed:
        master_key.open(key.kid, key.sealed_private_key)
    return master_key


def _configured_master_key(environment: Mapping[str, str], *, may_be_made: bool) -> MasterKey:
    text = environment.get("SENSOS_AUTH_MASTER_KEY")
    if text is not None:
        return parse_master_key(text, "SENSOS_AUTH_MASTER_KEY")
    path = master_key_file(environment)
    if may_be_made and not path.exists():
        make_master_key(path)
    keys = read_keys(path)
    if keys is None:
        raise ConfigurationError(
            f"the master key file {path} is missing, and the registry's signing keys can't be opened without it: "
            "put it back, or set SENSOS_AUTH_MASTER_KEY or SENSOS_AUTH_MASTER_KEY_FILE"
        )
    return MasterKey(*keys, reread=lambda: read_keys(path))
