"""All that is sealed under the master key: private halves, of signing keys and of the feed's, and kept answers.

Whatever is sealed at one time is sealed under one and the same master key.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sensos_auth.registry.transactions import Change, View


class SealedKey(NamedTuple):
    """A private key as it is stored."""

    kid: str
    sealed_private_key: bytes


def sealed_keys(view: View) -> list[SealedKey]:
    """Return every sealed private key."""
    return [SealedKey(kid, bytes(sealed)) for kid, sealed in view.statements.sealed_keys(view.connection)]


def any_sealed_key(view: View) -> SealedKey | None:
    """Return one of them, if there are any: what opens it opens them all."""
    row = view.statements.a_sealed_key(view.connection)
    return None if row is None else SealedKey(row[0], bytes(row[1]))


def replace_sealed_keys(change: Change, keys: Sequence[SealedKey]) -> None:
    """Store all private keys as they are sealed under another master key; answers that were kept are dropped."""
    for key in keys:
        change.statements.write_sealed_feed_key(change.connection, **key._asdict())
        change.statements.write_sealed_signing_key(change.connection, **key._asdict())
    change.statements.drop_idempotent_answers(change.connection)
    change.record("master_key.rotated", "master_key", keys=len(keys))
