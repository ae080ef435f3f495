"""Which URLs of an issuer are taken: those where nobody on the way can exchange what they bring."""

import re
from urllib.parse import urlsplit

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.loopback import is_loopback

# RFC 3986 section 2. With others, such as a line break or a backslash, parsers differ on where a URL leads.
_URL = re.compile(r"[A-Za-z0-9:/?#\[\]@!$&'()*+,;=._~%-]+")


def check_issuer_url(url: str, name: str, *, allow_insecure_http: bool) -> None:
    """Raise ConfigurationError, which calls the URL ``name``, unless it is fit to fetch from.

    It is ``https``, but for a loopback address or with ``allow_insecure_http``, and has no credentials and no fragment.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise ConfigurationError(f"{name} is not a URL") from None
    if not host:
        raise ConfigurationError(f"{name} is not a URL with a host")
    if not _URL.fullmatch(url):
        raise ConfigurationError(f"{name} has characters that no URL has, such as spaces, line breaks and backslashes")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ConfigurationError(f"{name} must have neither credentials nor a fragment")
    if parts.scheme == "https" or (parts.scheme == "http" and (allow_insecure_http or is_loopback(host))):
        return
    raise ConfigurationError(f"{name} must be https: whoever can exchange the keys on the way can make tokens")
