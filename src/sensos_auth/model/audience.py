"""The audience: the API that an access token is for, its claim ``aud`` (RFC 7519 section 4.1.3)."""

from sensos_auth.model.errors import InvalidInput

_LONGEST_AUDIENCE = 512


def checked_audience(audience: str) -> str:
    """Return the audience unchanged; raises InvalidInput when it is blank, too long or not printable."""
    if not audience.strip() or len(audience) > _LONGEST_AUDIENCE or not audience.isprintable():
        raise InvalidInput(f"an audience is the name of an API, of 1 to {_LONGEST_AUDIENCE} printable characters")
    return audience
