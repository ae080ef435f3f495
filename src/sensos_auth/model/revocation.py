"""Revocation: which access tokens are void before they expire, and how that is written without naming anybody.

A revocation names one token, one signing key, or all tokens that a credential, an application or a tenant was issued
before a registry version. No wall clocks are compared: a token carries the version it was issued at (claim ``rv``).

Published format, never to change: a subject is the first 16 bytes of the SHA-256 digest of ``<kind>:<identifier>``.
Identifiers are random and long, so the digest tells outsiders nothing.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sensos_auth.model.lifetime import LONGEST_LIFETIME

DIGEST_LENGTH = 16

# Seconds. A token that was signed just before the revocation can live for so long after it, by clocks that differ.
TOKENS_LIVE_FOR = LONGEST_LIFETIME + 60
# Seconds. Who stole a signing key can go on making tokens with it; by then no verifier holds the key any more (48 h at
# most without the issuer), nor accepts a token that it signed.
KEYS_ARE_REMEMBERED_FOR = 7 * 86_400


class RevocationKind(StrEnum):
    """What a revocation is about."""

    TOKEN = "token"  # noqa: S105 - a name
    CREDENTIAL = "credential"
    APPLICATION = "application"
    TENANT = "tenant"
    SIGNING_KEY = "signing_key"


@dataclass(frozen=True, slots=True)
class Revocation:
    """One entry of the revocation feed.

    ``void_before`` is the registry version before which the subject's tokens were issued that are void; None for a
    token and for a signing key, whose tokens are void whatever version they claim. ``ends_at`` (UTC seconds) is when
    the entry may be forgotten, because all it voids has expired.
    """

    kind: RevocationKind
    digest: bytes
    void_before: int | None
    ends_at: int


class Provenance(NamedTuple):
    """Where an access token comes from: everything a revocation can be held against. ``version`` is its ``rv``."""

    kid: str
    token_id: str
    tenant_id: str
    application_id: str
    credential_id: str
    version: int


def subject_digest(kind: RevocationKind, identifier: str) -> bytes:
    """Return how the feed names a token ID, secret ID, application ID, tenant ID or key ID: 16 bytes."""
    return hashlib.sha256(f"{kind}:{identifier}".encode()).digest()[:DIGEST_LENGTH]
