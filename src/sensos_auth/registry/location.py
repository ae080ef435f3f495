"""Where the registry is, from the environment."""

from collections.abc import Mapping
from pathlib import Path

from sensos_auth.model.errors import ConfigurationError

FILE_NAME = "registry.sqlite3"


def data_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder for the embedded registry and the master key.

    ``SENSOS_AUTH_DATA_DIR``; else ``sensos-auth`` in the user's data folder (XDG Base Directory Specification).
    """
    chosen = environment.get("SENSOS_AUTH_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser()
    user_data = environment.get("XDG_DATA_HOME")
    return (Path(user_data) if user_data else Path.home() / ".local" / "share") / "sensos-auth"


def database_url(environment: Mapping[str, str]) -> str:
    """Return ``SENSOS_AUTH_DATABASE_URL``, or the URL of the embedded registry in the data folder."""
    chosen = environment.get("SENSOS_AUTH_DATABASE_URL")
    if chosen is not None and not chosen.strip():
        raise ConfigurationError("SENSOS_AUTH_DATABASE_URL is empty: unset it, or set it to sqlite:///path")
    return chosen or f"sqlite:///{data_folder(environment).resolve() / FILE_NAME}"
