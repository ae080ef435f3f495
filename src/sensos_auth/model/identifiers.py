"""Identifiers: a prefix that says what is named, and 130 random bits.

Stored format, never to change: ``ten_``, ``app_`` or ``sec_`` and 26 characters of lower-case base32 (RFC 4648
section 6). A new kind of thing gets a new prefix; an identifier is never used twice.
"""

import re
import secrets

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_LENGTH = 26
_WRITTEN = re.compile(r"(?:ten|app|sec)_[a-z2-7]{26}")


def new_tenant_id() -> str:
    """Return a fresh tenant ID, e.g. ``ten_`` and 26 characters."""
    return _new("ten_")


def new_application_id() -> str:
    """Return a fresh application ID, e.g. ``app_`` and 26 characters."""
    return _new("app_")


def new_secret_id() -> str:
    """Return a fresh ID for an application secret, e.g. ``sec_`` and 26 characters. It is public, unlike the secret."""
    return _new("sec_")


def is_identifier(text: str) -> bool:
    """Tell whether the text is written as an identifier. Says nothing about whether it exists."""
    return _WRITTEN.fullmatch(text) is not None


def _new(prefix: str) -> str:
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
