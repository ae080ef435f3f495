"""The application's credentials: where they come from, and that nobody sees them on the way."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from sensos_auth.model.application_secret import PREFIX, has_valid_checksum
from sensos_auth.model.errors import ConfigurationError

BASE_URL = "SENSOS_BASE_URL"
TENANT_ID = "SENSOS_TENANT_ID"
APPLICATION_ID = "SENSOS_APPLICATION_ID"
APPLICATION_SECRET = "SENSOS_APPLICATION_SECRET"  # noqa: S105 - a variable's name
_LARGEST_FILE = 4096

SecretSource = Callable[[], str]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an application shows to get a token.

    ``secret`` is the application secret, or a function that returns it: a vault's, or :func:`secret_file`. It is called
    for each token request, in a thread of the library's own, and once more when the token service refuses the secret:
    it may have been rotated. Representations and errors never show the secret, and credentials can't be pickled.
    ``names`` tells what a person would call the three, for messages.
    """

    tenant_id: str
    application_id: str
    secret: str | SecretSource = field(repr=False)
    names: tuple[str, str, str] = field(
        default=("the tenant ID", "the application ID", "the application secret"), repr=False, compare=False
    )

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> "Credentials":
        """Return what the environment holds.

        ``SENSOS_TENANT_ID``, ``SENSOS_APPLICATION_ID`` and ``SENSOS_APPLICATION_SECRET``, or each with ``_FILE``: the
        name of a file that holds it. The secret's file is read again for each token request. Raises ConfigurationError
        that names every variable that is missing.
        """
        environment = Unseen(environment)
        check_set(environment, TENANT_ID, APPLICATION_ID, APPLICATION_SECRET)
        secret_name = _name_that_is_set(environment, APPLICATION_SECRET)
        return cls(
            read_setting(environment, TENANT_ID),
            read_setting(environment, APPLICATION_ID),
            environment[secret_name]
            if secret_name == APPLICATION_SECRET
            else secret_file(environment[secret_name], secret_name),
            names=(
                _name_that_is_set(environment, TENANT_ID),
                _name_that_is_set(environment, APPLICATION_ID),
                secret_name,
            ),
        )

    def current_secret(self) -> str:
        """Return the secret as it is now; raises what its source raises, and ConfigurationError when it is none."""
        secret: object = self.secret if isinstance(self.secret, str) else self.secret()
        if isinstance(secret, str) and secret and secret.isascii() and secret.isprintable():
            return secret
        del secret  # a traceback may show local variables
        raise ConfigurationError(f"{self.names[2]} is empty, or not a line of ASCII text")

    def where_to_look(self, secret: str) -> str:
        """Return, for credentials that were refused, the advice where to look; never a part of a value."""
        tenant, application, secret_name = self.names
        if not self.tenant_id.startswith("ten_"):
            return f"look at {tenant}, which does not begin with ten_"
        if not self.application_id.startswith("app_"):
            return f"look at {application}, which does not begin with app_"
        if not secret.startswith(PREFIX):
            return f"look at {secret_name}, which does not begin with {PREFIX}"
        if not has_valid_checksum(secret):
            return f"look at {secret_name}, whose checksum is wrong: a part of it is missing or mistyped"
        return (
            f"look at {secret_name} first, which may have been revoked or have expired, then at {application} and "
            f"{tenant}: one of them is wrong, or was disabled by the operator"
        )

    def __reduce__(self) -> str:
        raise TypeError("credentials are not pickled: pass on where they come from instead")


class Unseen(Mapping[str, str]):
    """The environment's variables, without their values where local variables are shown, as in some tracebacks."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> str:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def secret_file(path: str | PathLike[str], name: str = "") -> SecretSource:
    """Return the function that reads the secret from this file, without the line break at its end.

    The file may be exchanged while the application runs, as orchestrators do. ``name`` is what messages call it.
    """
    where = Path(path)
    return lambda: _read_file(where, name or f"the file {where}")


def check_set(environment: Mapping[str, str], *names: str) -> None:
    """Check that each variable, or the one with ``_FILE``, holds something, and not both; raises ConfigurationError."""
    missing = []
    for name in names:
        is_set, is_file_set = bool(environment.get(name)), bool(environment.get(f"{name}_FILE"))
        if is_set and is_file_set:
            raise ConfigurationError(f"set either {name} or {name}_FILE, not both")
        if not is_set and not is_file_set:
            missing.append(name)
    if missing:
        raise ConfigurationError(f"set {' and '.join(missing)}, or with _FILE at the end a file that holds it")


def read_setting(environment: Mapping[str, str], name: str) -> str:
    """Return what the variable holds, or the file that the one with ``_FILE`` names; raises ConfigurationError."""
    check_set(environment, name)
    set_name = _name_that_is_set(environment, name)
    return environment[name] if set_name == name else _read_file(Path(environment[set_name]), set_name)


def _name_that_is_set(environment: Mapping[str, str], name: str) -> str:
    return name if environment.get(name) else f"{name}_FILE"


def _read_file(path: Path, name: str) -> str:
    try:
        with path.open(encoding="utf-8-sig") as file:  # some editors begin a file with a byte order mark
            text = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{name} cannot be read: {type(error).__name__}") from None
    if text.strip() and len(text) <= _LARGEST_FILE:
        return text.strip()
    del text  # as above
    raise ConfigurationError(f"{name} is empty, or too long for what it should hold")
