"""Where the Valkey or Redis server is through which workers share their limits, from the environment."""

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry.location import url_or_file

LIMITS_URL = "SENSOS_AUTH_LIMITS_URL"
LIMITS_URL_FILE = "SENSOS_AUTH_LIMITS_URL_FILE"
_DEFAULT_PORT = 6379
# Whether the connection is encrypted (TLS), by the URL's scheme.
_SCHEMES = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
_PATH = re.compile(r"/?|/([0-9]{1,5})")
_EXPECTED = (
    "must look like redis://host:6379, valkey://host:6379/0 or, encrypted, rediss://user:password@host:6379, "
    "with special characters of user and password written as %40 and the like"
)


@dataclass(frozen=True, slots=True)
class LimitsUrl:
    """The server, and as whom it is asked. Its representation shows the place only."""

    host: str
    port: int
    database: int = 0
    is_encrypted: bool = field(default=False, repr=False)
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @property
    def place(self) -> str:
        """Return host and port, as they may be shown."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def limits_url(environment: Mapping[str, str]) -> LimitsUrl | None:
    """Return ``SENSOS_AUTH_LIMITS_URL``, or what stands in the file that ``SENSOS_AUTH_LIMITS_URL_FILE`` names.

    None where neither is set. Raises ConfigurationError, without the URL.
    """
    written = url_or_file(environment, LIMITS_URL, "rediss://user:password@host:6379")
    if written is None:
        return None
    name = LIMITS_URL if LIMITS_URL in environment else f"what stands in the file that {LIMITS_URL_FILE} names"
    parsed = _parsed(written)
    if parsed is None:
        raise ConfigurationError(f"{name} {_EXPECTED}")
    if importlib.util.find_spec("redis") is None:
        raise ConfigurationError(f"{LIMITS_URL} needs a package more: run pip install 'sensos-auth[server,limits]'")
    return parsed


def _parsed(written: str) -> LimitsUrl | None:
    if not written.isascii() or not written.isprintable() or set(written) & set(" \\?#"):
        return None
    try:
        parts = urlsplit(written)
        port = parts.port
    except ValueError:
        return None
    path = _PATH.fullmatch(parts.path)
    if parts.scheme not in _SCHEMES or not parts.hostname or port == 0 or path is None:
        return None
    user, password = (unquote(each) if each else None for each in (parts.username, parts.password))
    if user is not None and password is None:  # a user alone says nothing: one word is the password nearly always
        return None
    return LimitsUrl(parts.hostname, port or _DEFAULT_PORT, int(path[1] or 0), _SCHEMES[parts.scheme], user, password)
