"""Where the registry is, from the environment; and how a URL with a password is read from there."""

from collections.abc import Mapping
from pathlib import Path

from sensos_auth.model.errors import ConfigurationError

FILE_NAME = "registry.sqlite3"
_LARGEST_FILE = 4096


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
    """Return the URL of the registry's database; raises ConfigurationError.

    It is ``SENSOS_AUTH_DATABASE_URL``; or, for a URL with a password, what stands in the file that
    ``SENSOS_AUTH_DATABASE_URL_FILE`` names; or the file in the data folder.
    """
    chosen = url_or_file(environment, "SENSOS_AUTH_DATABASE_URL", "postgresql://user@host/name")
    if chosen is not None and not chosen.strip():
        raise ConfigurationError("SENSOS_AUTH_DATABASE_URL is empty: unset it, or set it to sqlite:///path")
    return chosen or f"sqlite:///{data_folder(environment).resolve() / FILE_NAME}"


def url_or_file(environment: Mapping[str, str], variable: str, example: str) -> str | None:
    """Return what the variable holds, or else the one line of the file that the variable with ``_FILE`` names.

    None where neither is set; ``example`` is a URL that an error shows. Raises ConfigurationError.
    """
    chosen, file = environment.get(variable), environment.get(f"{variable}_FILE")
    if chosen is not None and file is not None:
        raise ConfigurationError(f"set either {variable} or {variable}_FILE, not both")
    return chosen if file is None else _url_in(file, f"{variable}_FILE", example)


def _url_in(name: str, variable: str, example: str) -> str:
    if not name.strip():
        raise ConfigurationError(f"{variable} is empty: unset it, or set it to the path of the file")
    path = home_expanded(name, variable)
    try:
        with path.open(encoding="utf-8-sig") as file:  # some editors begin a file with a byte order mark
            text = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{variable} cannot be read: {type(error).__name__}") from None
    if len(text.split()) == 1 and len(text) <= _LARGEST_FILE:
        return text.strip()
    del text  # a traceback may show local variables, and there is a password in it
    raise ConfigurationError(f"{variable} must hold one line: the URL, as {example}")


def home_expanded(path: str, variable: str) -> Path:
    """Return the path with its leading ``~`` replaced; raises ConfigurationError that names the variable."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(f"{variable} must be an absolute path: this user has no home folder") from error
