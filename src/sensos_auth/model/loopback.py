"""This machine, as a URL names it: where plain http is safe, because nobody is on the way."""

import ipaddress
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Tell whether the host is this machine, by its address or as ``localhost``. Asks no name server."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def may_use_proxy(url: str) -> bool:
    """Tell whether the environment's proxies may carry requests for the URL.

    Not plain http to this machine: a proxy would see, and could exchange, what was never meant to leave it.
    """
    parts = urlsplit(url)
    return not (parts.scheme == "http" and is_loopback(parts.hostname or ""))
