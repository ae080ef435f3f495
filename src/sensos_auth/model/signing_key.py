"""Signing keys: their states, and the schedule that moves them from one to the next.

A key's life is three instants. Each state follows from them and the time; nothing else is stored:

    published ──48 h── signs_from ──30 d── signs_until ──24 h + longest lifetime── gone from the JWKS
    ╰── upcoming ────╯╰──── active ──────╯╰────────────── retiring ──────────────╯╰── retired

The newest key has no ``signs_until``: it signs until its successor, published beforehand, takes over. So at every
instant exactly one key is active, and a service that was switched off for months comes back with a key that signs.
A verifier that lost the service for a day still knows the next key, and keeps every key while a token of it can live.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.lifetime import LONGEST_LIFETIME

Algorithm = Literal["ES256", "RS256", "EdDSA"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

PUBLISHED_BEFORE_SIGNING = 48 * 3600
SIGNS_FOR = 30 * 86_400
PUBLISHED_AFTER_SIGNING = 24 * 3600 + LONGEST_LIFETIME


class KeyState(StrEnum):
    """Where a signing key stands: see the picture above; ``revoked`` is reached from everywhere and never left."""

    UPCOMING = "upcoming"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The public half of a signing key and its schedule. Times are UTC seconds.

    ``kid`` is the RFC 7638 thumbprint of the key, ``public_jwk`` its RFC 7517 representation as JSON text. The private
    half is kept sealed, until the key is retired or revoked.
    """

    kid: str
    algorithm: Algorithm
    public_jwk: str
    created_at: int
    signs_from: int
    signs_until: int | None
    revoked_at: int | None
    has_private_key: bool

    def state(self, now: int) -> KeyState:
        """Return the key's state at ``now`` (UTC seconds)."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if now < self.signs_from:
            return KeyState.UPCOMING
        if self.signs_until is None or now < self.signs_until:
            return KeyState.ACTIVE
        if now < self.signs_until + PUBLISHED_AFTER_SIGNING:
            return KeyState.RETIRING
        return KeyState.RETIRED

    def is_published(self, now: int) -> bool:
        """Tell whether the JWKS lists the key at ``now`` (UTC seconds)."""
        return self.state(now) in {KeyState.UPCOMING, KeyState.ACTIVE, KeyState.RETIRING}

    @property
    def published_until(self) -> int | None:
        """Return when the JWKS stops or stopped listing the key (UTC seconds); None while its successor is not set."""
        if self.revoked_at is not None:
            return self.revoked_at
        return None if self.signs_until is None else self.signs_until + PUBLISHED_AFTER_SIGNING


def active_key(keys: Iterable[SigningKey], now: int) -> SigningKey | None:
    """Return the one key that signs at ``now`` (UTC seconds), or None where there is none at all.

    It is the first in line that is neither revoked nor at its end. That one is always ``active``, except on a machine
    whose clock has been set back behind the first key or behind a revocation: then the next key signs already.
    """
    standing = (key for key in keys if key.state(now) in {KeyState.UPCOMING, KeyState.ACTIVE})
    return min(standing, key=lambda key: key.signs_from, default=None)


def newest_key(keys: Iterable[SigningKey]) -> SigningKey | None:
    """Return the last key in line: active, or upcoming when a rotation is under way."""
    return next((key for key in keys if key.signs_until is None), None)


def rotation_due(keys: Iterable[SigningKey], now: int) -> bool:
    """Tell whether the next key must be published at ``now`` (UTC seconds), so that it can take over in time."""
    newest = newest_key(keys)
    return newest is None or now >= newest.signs_from + SIGNS_FOR - PUBLISHED_BEFORE_SIGNING


def checked_algorithm(name: str) -> Algorithm:
    """Return the name as a supported JWS algorithm (RFC 7518, RFC 8037); raises InvalidInput for any other."""
    for algorithm in ALGORITHMS:
        if name == algorithm:
            return algorithm
    raise InvalidInput(f"the signing algorithm is one of {', '.join(ALGORITHMS)}")
