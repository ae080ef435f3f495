"""base64url without padding (RFC 7515 section 2), strictly: each sequence of bytes has exactly one text."""

from base64 import urlsafe_b64decode, urlsafe_b64encode


def decode_base64url(text: str) -> bytes:
    """Return the bytes; raises ValueError for padding, foreign characters, impossible lengths and stray bits."""
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The standard library passes over what it does not know, so only the way back tells.
    if urlsafe_b64encode(data).rstrip(b"=") != text.encode():
        raise ValueError("not canonical base64url")
    return data
