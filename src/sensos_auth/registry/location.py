"""Where the registry is, from the environment."""

from collections.abc import Mapping
from pathlib import Path

from sensos_auth.model.errors import ConfigurationError

FILE_NAME = "registry.sqlite3"


def data_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder for the embedded registry and the master key.

    ``SENSOS_AUTH_DATA_DIR``; else ``sensos-auth`` in the user's data folder (XDG Base Directory Specification).
    Raises ConfigurationError.
    """
    chosen = environment.get("SENSOS_AUTH_DATA_DIR")
    if chosen:
        return home_expanded(chosen, "SENSOS_AUTH_DATA_DIR")
    user_data = Path(environment.get("XDG_DATA_HOME", ""))
    if not user_data.is_absolute():  # the specification: a relative one is to be ignored
        user_data = home_expanded("~/.local/share", "SENSOS_AUTH_DATA_DIR")
    return user_data / "sensos-auth"


def database_url(environment: Mapping[str, str]) -> str:
    """Return ``SENSOS_AUTH_DATABASE_URL``, or the URL of the registry in the data folder; raises ConfigurationError."""
    chosen = environment.get("SENSOS_AUTH_DATABASE_URL")
    if chosen is not None and not chosen.strip():
        raise ConfigurationError("SENSOS_AUTH_DATABASE_URL is empty: unset it, or set it to sqlite:///path")
    return chosen or f"sqlite:///{data_folder(environment).resolve() / FILE_NAME}"


def home_expanded(path: str, variable: str) -> Path:
    """Return the path with its leading ``~`` replaced; raises ConfigurationError that names the variable."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(f"{variable} must be an absolute path: this user has no home folder") from error
