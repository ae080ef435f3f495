"""The address of the API, and the origins that may see a token."""

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.loopback import is_loopback

_DEFAULT_PORTS = {"https": 443, "http": 80}
# RFC 3986 section 3.2, without user information: that is where look-alike hosts hide. No backslash, no white space.
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9.])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")


def checked_base_url(text: str, name: str, *, allow_insecure_http: bool = False) -> str:
    """Return the URL without a slash at its end; raises ConfigurationError that begins with ``name``.

    It must be ``https``, but for a loopback address, and have neither credentials, query nor fragment.
    """
    parts = _split(text, name)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and (allow_insecure_http or is_loopback(parts.hostname or ""))
    ):
        raise ConfigurationError(f"{name} must begin with https://, or everybody on the way can read secret and tokens")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ConfigurationError(f"{name} must end after its path: no query, no fragment")
    if parts.path and not is_plain_path(parts.path):
        raise ConfigurationError(f"{name} has a path with characters that a path does not have")
    return text.rstrip("/")


class Origins:
    """The origins (scheme, host and port, RFC 6454 section 4) that a token may be sent to: all others see none."""

    __slots__ = ("_beginnings", "allowed")

    def __init__(self, urls: Iterable[str]) -> None:
        """Take URLs that were checked, of which only the origin counts."""
        allowed: set[tuple[str, str, int | None]] = set()
        for url in urls:
            parts = urlsplit(url)
            port = parts.port or _DEFAULT_PORTS[parts.scheme]
            allowed.add((parts.scheme, parts.hostname or "", port))
            if port == _DEFAULT_PORTS[parts.scheme]:
                allowed.add((parts.scheme, parts.hostname or "", None))
        self.allowed = frozenset(allowed)  # as permit() gets them, for where a call would be felt
        self._beginnings = tuple(_written(*origin) for origin in allowed)

    def permit(self, scheme: str, host: str, port: int | None) -> bool:
        """Tell whether this is one of them. All in lower case, an IPv6 host without brackets; no port: the default."""
        return (scheme, host, port) in self.allowed

    def permit_url(self, url: str) -> bool:
        """Tell whether the URL is of one of them; what cannot be understood is not."""
        if url.startswith(self._beginnings):
            return True
        try:
            parts = _split(url, "URL")
        except ConfigurationError:
            return False
        return self.permit(parts.scheme, parts.hostname or "", parts.port)


def _written(scheme: str, host: str, port: int | None) -> str:
    # With the slash that ends it: nothing that follows can change the host.
    return f"{scheme}://{f'[{host}]' if ':' in host else host}{'' if port is None else f':{port}'}/"


def _split(text: str, name: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"{name} is not a URL") from None
    if port == 0:
        raise ConfigurationError(f"{name} has port 0, where nobody listens")
    # urlsplit removes tabs, line breaks and leading blanks in silence: what it was given must be what it understood.
    is_as_given = text.lower().startswith(f"{parts.scheme}://{parts.netloc.lower()}") and text.isprintable()
    if parts.scheme not in _DEFAULT_PORTS or not is_as_given or not _AUTHORITY.fullmatch(parts.netloc):
        raise ConfigurationError(f"{name} must look like https://api.example.com: scheme, host, and nothing before it")
    return parts


def is_plain_path(path: str) -> bool:
    """Tell whether the text can follow a base URL as its path, without a query, and never reach another host."""
    return path.startswith("/") and _PATH.fullmatch(path) is not None
