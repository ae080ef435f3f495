"""The chain over the audit trail: each event's hash covers the event and the hash of the one before it.

Who removes, alters, inserts or moves an event must make every later hash anew, and then no longer has the last hash
that an operator wrote down, exported or logged before.
"""

import hashlib
from typing import NamedTuple

import msgspec

_encode = msgspec.json.Encoder().encode


class StoredEvent(NamedTuple):
    """An audit event as it is stored: ``at`` in UTC seconds, ``details`` the text of a JSON object."""

    version: int
    position: int
    at: int
    actor: str
    action: str
    tenant_id: str | None
    subject: str
    details: str


def chained_hash(before: bytes | None, event: StoredEvent) -> bytes:
    """Return the hash of an event, 32 bytes; ``before`` is that of the event before it, ``None`` for the first.

    It is the SHA-256 of a JSON array without white space: ``before`` in hexadecimal, then the event's members in their
    order. Stored format, never to change.
    """
    return hashlib.sha256(_encode([(before or b"").hex(), *event])).digest()
