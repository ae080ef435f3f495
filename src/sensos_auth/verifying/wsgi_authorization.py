"""What WSGI tells an application of a request's ``Authorization`` headers, and a word when a server tells nothing.

A WSGI server joins repeated headers with commas, so two tokens are never one. It may also keep the header to itself
(RFC 3875 section 4.1.18), as Apache's mod_wsgi and CGI do unless told otherwise: then every request looks like one
without a token, and nobody gets in.
"""

import logging
from collections.abc import Mapping
from typing import Any

_SUSPICIOUS = 100  # requests in a row, none of which had the header

_logger = logging.getLogger("sensos_auth.verifying")


class WsgiAuthorization:
    """Reads the header from the environments of one application, and warns once when it never seems to come."""

    def __init__(self) -> None:
        self._without: int | None = 0  # None once nothing is left to say

    def values(self, environ: Mapping[str, Any]) -> list[str]:
        """Return what :func:`sensos_auth.verifying.authenticate` asks for."""
        value = environ.get("HTTP_AUTHORIZATION")
        without = self._without  # read once: other threads write it
        if without is not None:
            self._without = None if value is not None else without + 1
            if value is None and (hint := _hint(environ, without + 1)):
                self._without = None
                _logger.warning("no Authorization header reached this application: %s", hint)
        return [] if value is None else [value]


def _hint(environ: Mapping[str, Any], without: int) -> str:
    if "REDIRECT_HTTP_AUTHORIZATION" in environ:
        return "the server renamed it to REDIRECT_HTTP_AUTHORIZATION; in Apache set CGIPassAuth On"
    if "mod_wsgi.version" in environ:
        return "if requests do show tokens, set WSGIPassAuthorization On in Apache"
    if without >= _SUSPICIOUS:
        return f"in {_SUSPICIOUS} requests; does the server, or a proxy before it, keep it back?"
    return ""
