"""A page of the revocation feed: what became void between two registry versions.

Published format: members may be added, none is removed or given another meaning; a reader passes over those it does
not know. A page is JSON, and the header ``Sensos-Signature`` of its answer is a JWS with a detached payload (RFC 7515
appendix F) over exactly these bytes, typed ``sensos-revocations``, made by the feed's own key (``FEED_KEYS_PATH``).
"""

import msgspec

FEED_PATH = "/v1/revocations"
FEED_KEYS_PATH = "/v1/revocations/keys"
SIGNATURE_HEADER = "sensos-signature"
FEED_TYPE = "sensos-revocations"
LONGEST_WAIT = 30  # seconds that a poll can wait for news


class RevocationPage(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The revocations after version ``since``, up to and with ``version``; with ``more``, further pages follow at once.

    ``as_of`` (UTC seconds) is when the issuer read this. Digests are those of :mod:`sensos_auth.model.revocation`,
    base64 in JSON. ``tokens`` are pairs of the time at which the tokens expire (UTC seconds, rounded up to a minute)
    and their digests, one behind the other. ``credentials``, ``applications`` and ``tenants`` are a digest, the version
    before which its tokens are void, and the time after which it may be forgotten; ``signing_keys`` the same without
    the version. Pages are idempotent, and where two differ about a subject the higher version counts.
    """

    issuer: str
    since: int
    version: int
    as_of: int
    more: bool = False
    tokens: list[tuple[int, bytes]] = []
    credentials: list[tuple[bytes, int, int]] = []
    applications: list[tuple[bytes, int, int]] = []
    tenants: list[tuple[bytes, int, int]] = []
    signing_keys: list[tuple[bytes, int]] = []
