"""The key of the revocation feed, and the signatures it makes.

A signature is a JWS with a detached payload (RFC 7515 appendix F): ``<protected header>..<signature>``, over exactly
the bytes that are sent. The key is none of those that sign tokens: what it signs can never be taken for a token, and
its verifiers need not wonder which kid may do what.
"""

import msgspec

from sensos_auth.issuing.key_pair import KeyPair, load_signature_function, new_key_pair
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.minting import base64url
from sensos_auth.issuing.sealing import seal
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.model.revocation_page import FEED_TYPE
from sensos_auth.model.signing_key import Algorithm
from sensos_auth.registry import Change, Registry
from sensos_auth.registry.feed_keys import FeedKey, add_feed_key, list_feed_keys

_ALGORITHM: Algorithm = "EdDSA"


class FeedSigner:
    """Signs pages of the feed with the key of the registry."""

    __slots__ = ("_header", "_sign", "public_jwk")

    def __init__(self, key: FeedKey, master_key: MasterKey) -> None:
        """Open the key; raises ConfigurationError when it was sealed with another master key."""
        self.public_jwk = key.public_jwk
        self._sign = load_signature_function(_ALGORITHM, master_key.open(key.kid, key.sealed_private_key))
        header = {"alg": _ALGORITHM, "typ": FEED_TYPE, "kid": key.kid}
        self._header = base64url(msgspec.json.encode(header))

    def sign(self, body: bytes) -> bytes:
        """Return the value of the header ``Sensos-Signature`` for the page."""
        return self._header + b".." + base64url(self._sign(self._header + b"." + base64url(body)))


def keep_feed_key(registry: Registry, master_key: MasterKey) -> None:
    """Make the feed's key if there is none. Of several processes that do so at once, one makes it."""
    with registry.view() as view:
        if list_feed_keys(view):
            return
    pair = new_key_pair(_ALGORITHM)
    try:
        with registry.change("system:feed") as change:
            _add_first(change, pair, master_key)
    except _NothingDone:
        return


def _add_first(change: Change, pair: KeyPair, master_key: MasterKey) -> None:
    if list_feed_keys(change):
        raise _NothingDone
    add_feed_key(change, pair.kid, pair.public_jwk, seal(change, master_key, pair.kid, pair.private_key))


class _NothingDone(Exception):
    """Another process was faster; the change is abandoned."""


def open_feed_signer(registry: Registry, master_key: MasterKey) -> FeedSigner:
    """Return the signer of the registry's feed.

    Raises RegistryUnavailable when no key has been made yet, ConfigurationError for another master key.
    """
    with registry.view() as view:
        keys = list_feed_keys(view)
    if not keys:
        raise RegistryUnavailable("the registry holds no key for the revocation feed")
    return FeedSigner(keys[-1], master_key)
