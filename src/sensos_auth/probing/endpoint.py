"""The endpoint that is probed: where it is, and requests for it."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.loopback import is_loopback

Header = tuple[str, str]

_TARGET = re.compile(r"[\x21-\x7e]*")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Request:
    """One request, sent exactly as it stands here. Header values are latin-1; Host and Connection are added."""

    method: str
    target: str
    headers: tuple[Header, ...]
    body: bytes
    host: str
    version: str

    def to_bytes(self) -> bytes:
        """Return the request as it goes over the wire (RFC 9112 section 2.1)."""
        lines = [f"{self.method} {self.target} {self.version}", f"Host: {self.host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body or self.method in {"POST", "PUT", "PATCH"}:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One URL: the only place that a request for it, with whatever token in it, is ever sent to."""

    scheme: str
    host: str
    port: int
    path: str
    query: str = field(repr=False)

    @property
    def target(self) -> str:
        """Return the request target (RFC 9112 section 3.2.1)."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def authority(self) -> str:
        """Return the value of Host: with the port where it is not the scheme's own."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Tell whether it is on this machine."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    def request(
        self,
        *headers: Header,
        method: str = "GET",
        target: str | None = None,
        body: bytes = b"",
        host: str | None = None,
        version: str = "HTTP/1.1",
    ) -> Request:
        """Return a request for this endpoint; ``target`` and ``host`` stand in for its own."""
        target = self.target if target is None else target
        everyone = (("Accept", "*/*"), ("User-Agent", "sensos-auth-probe"), *headers)
        return Request(method, target, everyone, body, self.authority if host is None else host, version)

    def bearer(self, token: str) -> Request:
        """Return the request that shows the token as RFC 6750 section 2.1 wants it."""
        return self.request(("Authorization", f"Bearer {token}"))


def parse_endpoint(url: str, *, allow_insecure_http: bool = False) -> Endpoint:
    """Return the endpoint at an http(s) URL; raises InvalidInput, which does not repeat it.

    Plain http is for loopback addresses; elsewhere it needs ``allow_insecure_http``, because whoever sits on the way
    reads the token.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput("this is not a URL") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise InvalidInput("the URL must begin with https:// (or http://) and a host")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("the URL must hold no user and no password")
    path = parts.path or "/"
    if not _TARGET.fullmatch(path + parts.query) or not _TARGET.fullmatch(parts.hostname):
        raise InvalidInput("the URL must be written in printable ASCII, without spaces")
    if parts.scheme == "http" and not allow_insecure_http and not is_loopback(parts.hostname):
        raise InvalidInput("a token over plain http can be read on the way: use https, or --allow-insecure-http")
    return Endpoint(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], path, parts.query)
