"""The key of the revocation feed, as it is stored: public half, and the sealed private half."""

from dataclasses import dataclass

from sensos_auth.registry.transactions import Change, View


@dataclass(frozen=True, slots=True)
class FeedKey:
    """A key that signs the feed. ``public_jwk`` is its RFC 7517 representation, ``created_at`` in UTC seconds."""

    kid: str
    public_jwk: str
    sealed_private_key: bytes
    created_at: int

    def __repr__(self) -> str:
        return f"FeedKey(kid={self.kid!r})"


def list_feed_keys(view: View) -> list[FeedKey]:
    """Return the feed's keys in the order in which they were made; the last one signs."""
    return [FeedKey(*row) for row in view.statements.feed_keys(view.connection)]


def add_feed_key(change: Change, kid: str, public_jwk: str, sealed: bytes) -> None:
    """Store a new key, which signs the feed from now on."""
    change.statements.insert_feed_key(
        change.connection,
        kid=kid,
        public_jwk=public_jwk,
        sealed_private_key=sealed,
        created_at=change.now,
        created_version=change.version,
    )
    change.record("feed_key.created", kid)
