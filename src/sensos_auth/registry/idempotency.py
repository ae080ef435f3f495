"""Answers to creations that were asked for with an idempotency key, kept for whoever has to ask again.

An answer shows a secret, so it is stored sealed, and by digests only: of the key with whose it is, and of the request.
It is kept in the transaction of the change that it answers for. One change, one answer, whenever the process dies.
"""

import hashlib
from typing import NamedTuple

from sensos_auth.registry.transactions import Change, Registry, View

# Seconds for which an answer is kept.
KEPT_FOR = 24 * 3600


class KeptAnswer(NamedTuple):
    """The digest of the request that was answered, and the answer, sealed."""

    request_digest: bytes
    sealed: bytes


def key_digest(application_id: str, key: str) -> bytes:
    """Return what an application's idempotency key is stored as: 32 bytes. Another application's is another one."""
    return _digest(application_id, key)


def request_digest(method: str, path: str, body: str) -> bytes:
    """Return what tells one request from another: 32 bytes."""
    return _digest(method, path, body)


def kept_answer(view: View, key: bytes) -> KeptAnswer | None:
    """Return what was answered to the key with this digest within the last 24 hours."""
    row = view.statements.idempotent_answer(view.connection, key_digest=key, now=view.now)
    return None if row is None else KeptAnswer(bytes(row[0]), bytes(row[1]))


def keep_answer(change: Change, key: bytes, request: bytes, sealed: bytes) -> None:
    """Keep the answer for 24 hours."""
    change.statements.keep_idempotent_answer(
        change.connection, key_digest=key, request_digest=request, sealed_answer=sealed, ends_at=change.now + KEPT_FOR
    )


def purge_ended_answers(registry: Registry) -> None:
    """Forget the answers that are a day old. Raises RegistryUnavailable."""
    with registry.view() as view:
        if not view.statements.has_ended_idempotent_answers(view.connection, now=view.now):
            return
    with registry.observation() as view:
        view.statements.purge_idempotent_answers(view.connection, now=view.now)


def _digest(*parts: str) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        written = part.encode()
        digest.update(b"%d:" % len(written) + written)  # with its length: no two lists of parts are written alike
    return digest.digest()
