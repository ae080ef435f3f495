"""Scopes: space-separated names (RFC 6749 section 3.3), compared whole and never by prefix."""

import re

from sensos_auth.model.errors import InvalidInput

_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_MAXIMUM_LENGTH = 1024


def normalize_scope(scope: str) -> str:
    """Return the scope with single spaces, each name once, in the given order.

    Raises InvalidInput for a name with characters that RFC 6749 section 3.3 forbids, or beyond 1 024 characters.
    """
    names = [name for name in dict.fromkeys(scope.split(" ")) if name]
    for name in names:
        if not _SCOPE_TOKEN.fullmatch(name):
            raise InvalidInput(
                "a scope is names separated by spaces, in printable ASCII without quotation marks and backslashes"
            )
    normalized = " ".join(names)
    if len(normalized) > _MAXIMUM_LENGTH:
        raise InvalidInput(f"a scope has at most {_MAXIMUM_LENGTH} characters")
    return normalized
