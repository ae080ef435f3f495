"""The application secret: how it is written, how a typing error is told apart, and what is kept of it.

Stored and published format, never to change (a new format gets a new prefix):

``sensos_sk_`` + 43 base62 characters (256 random bits) + 6 base62 characters (CRC-32 of all before them)

The prefix lets scanners find leaked secrets, the checksum lets them, and the token endpoint, drop look-alikes without
asking the registry. Only the SHA-256 digest is stored: 256 random bits need no slow hash (NIST SP 800-63B section
5.1.1.2 asks for one below 112 bits).
"""

import hashlib
import secrets
import zlib
from dataclasses import dataclass

from sensos_auth.model.errors import InvalidInput

PREFIX = "sensos_sk_"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _BASE62 for second in _BASE62]
_RANDOM_CHARACTERS = 43
_CHECKSUM_CHARACTERS = 6
_LONGEST_LABEL = 100
LENGTH = len(PREFIX) + _RANDOM_CHARACTERS + _CHECKSUM_CHARACTERS


@dataclass(frozen=True, slots=True)
class Secret:
    """What the registry knows of an application secret; the secret itself is not among it.

    Times are UTC seconds since the epoch. ``expires_at`` is the first second at which the secret no longer works.
    It is revoked by itself when it was not used for ``retire_unused_for`` seconds, counted from ``retire_unused_from``
    on; ``None`` for never. ``changed_version`` is the registry version of its last change.
    """

    secret_id: str
    application_id: str
    tenant_id: str
    label: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None
    retire_unused_for: int | None
    retire_unused_from: int | None
    changed_version: int

    def state(self, now: int) -> str:
        """Return ``active``, ``expired`` or ``revoked`` at ``now`` (UTC seconds)."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "active"


def checked_label(label: str) -> str:
    """Return what people call a secret, unchanged; may be empty, may repeat. Raises InvalidInput."""
    if len(label) > _LONGEST_LABEL or not label.isprintable():
        raise InvalidInput(f"a label has at most {_LONGEST_LABEL} printable characters")
    if PREFIX in label:
        raise InvalidInput("a label must not hold a secret: it is shown to everybody who manages the application")
    return label


def new_secret() -> str:
    """Return a fresh application secret, to be shown once and then forgotten."""
    body = PREFIX + _base62(secrets.randbits(256), _RANDOM_CHARACTERS)
    return body + _checksum(body.encode())


def has_valid_checksum(secret: str) -> bool:
    """Tell whether the text can be an application secret at all. Says nothing about whether it exists."""
    if len(secret) != LENGTH or not secret.startswith(PREFIX) or not secret.isascii():
        return False
    return _checksum(secret[:-_CHECKSUM_CHARACTERS].encode()) == secret[-_CHECKSUM_CHARACTERS:]


def digest(secret: str) -> bytes:
    """Return what is stored in place of the secret: 32 bytes."""
    return hashlib.sha256(secret.encode()).digest()


def _checksum(body: bytes) -> str:
    # As _base62 has it, two characters at a time: every token request comes through here.
    rest, last = divmod(zlib.crc32(body), len(_PAIRS))
    first, middle = divmod(rest, len(_PAIRS))
    return _PAIRS[first] + _PAIRS[middle] + _PAIRS[last]


def _base62(number: int, width: int) -> str:
    characters = []
    for _ in range(width):
        number, remainder = divmod(number, 62)
        characters.append(_BASE62[remainder])
    return "".join(reversed(characters))
