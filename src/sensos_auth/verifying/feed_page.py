"""An answer of the revocation feed becomes a page, if the feed's own key signed it and it is what was asked for."""

from base64 import urlsafe_b64encode
from collections.abc import Set as AbstractSet
from dataclasses import replace

import msgspec

from sensos_auth.model.errors import SensosAuthError
from sensos_auth.model.revocation_page import FEED_TYPE, RevocationPage
from sensos_auth.verifying.compact_jws import CompactJws, parse_compact_jws
from sensos_auth.verifying.errors import InvalidToken
from sensos_auth.verifying.keys import VerificationKeys
from sensos_auth.verifying.sensos_profile import SensosProfile


class PageRefused(SensosAuthError):
    """The answer is no page to go by. The text names the failed check, and what a signed page calls its issuer."""


class FeedProfile(SensosProfile):
    """Which keys sign the feed: of Ed25519, and published at ``FEED_KEYS_PATH``. None of them ever signs a token."""

    algorithms: AbstractSet[str] = frozenset({"EdDSA"})
    token_types: AbstractSet[str] = frozenset({FEED_TYPE})


FEED = FeedProfile()

_LONGEST_SHOWN = 200

_decoder = msgspec.json.Decoder(RevocationPage)


def read_page(body: bytes, signature: str, *, keys: VerificationKeys, issuer: str, since: int) -> RevocationPage:
    """Return the page; raises PageRefused unless it is signed, and is of the issuer and what follows ``since``.

    ``signature`` is a compact JWS whose payload, the body, is left out (RFC 7515 appendix F). Raises KeysUnavailable.
    """
    jws = _detached(signature, body)
    kid = jws.header.get("kid")
    if jws.header.get("typ") != FEED_TYPE or not isinstance(kid, str) or not FEED.key_id.fullmatch(kid):
        raise PageRefused("a page that is not signed as one")
    key = keys.find(kid)
    if key is None:
        raise PageRefused("a page signed with a key that is not known")
    if key.algorithm not in FEED.algorithms or not key.verifies(jws):
        raise PageRefused("a page with a wrong signature")
    try:
        page = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise PageRefused("a page that cannot be read") from None
    if page.issuer != issuer:
        raise PageRefused(f"a page of another issuer, {page.issuer[:_LONGEST_SHOWN]!r}")
    if page.since != since:
        raise PageRefused("a page that was not asked for")
    if page.version < since:
        raise PageRefused("a page older than what is held")
    return page


def _detached(signature: str, body: bytes) -> CompactJws:
    try:
        jws = parse_compact_jws(signature)
    except InvalidToken:
        raise PageRefused("a page that is not signed") from None
    if jws.payload:
        raise PageRefused("a page that is not signed as one")
    return replace(jws, payload=body, signing_input=jws.signing_input + urlsafe_b64encode(body).rstrip(b"="))
