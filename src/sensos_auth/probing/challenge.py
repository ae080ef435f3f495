"""The header ``WWW-Authenticate`` as a client reads it (RFC 9110 section 11.6.1, RFC 6750 section 3)."""

import re
from collections.abc import Iterable

_PARAMETER = re.compile(r"""([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))""", re.ASCII)
_BEARER = re.compile(r"(?:^|,)\s*bearer(?:\s|,|$)", re.IGNORECASE | re.ASCII)


def bearer_challenge(values: Iterable[str]) -> dict[str, str] | None:
    """Return the parameters of the first value with a challenge for Bearer, names in lower case; None without one."""
    for value in values:
        if _BEARER.search(re.sub(r'"(?:[^"\\]|\\.)*"', '""', value)):
            return {match[1].lower(): match[2] or match[3] or "" for match in _PARAMETER.finditer(value)}
    return None
