"""Conditional requests: whether the client holds the present state already (RFC 9110 section 13.1.2)."""

from sensos_auth.server.asgi import Scope


def holds(scope: Scope, etag: bytes) -> bool:
    """Tell whether ``If-None-Match`` names the entity tag, which is written with its quotation marks.

    The comparison is the weak one, as RFC 9110 section 13.1.2 has it: ``W/`` does not count.
    """
    shown = [value for name, value in scope["headers"] if name == b"if-none-match"]
    tags = {tag.strip().removeprefix(b"W/") for value in shown for tag in value.split(b",")}
    return etag in tags or b"*" in tags
