"""``Idempotency-Key``: a creation that is asked for again is answered again, and not made twice.

As in draft-ietf-httpapi-idempotency-key-header-07. A key belongs to the application that sent it, for 24 hours. Its
answer is stored in the transaction of the creation, sealed under the master key, because it shows a secret. It is shown
again to who still holds all the scopes that he held then. Refusals are not kept: nothing was made, and the same key can
be tried again.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.sealing import seal
from sensos_auth.model.errors import InvalidInput
from sensos_auth.registry import Change
from sensos_auth.registry.idempotency import keep_answer, kept_answer, key_digest, request_digest
from sensos_auth.server.answers import Refusal, error_answer
from sensos_auth.server.management.authority import Authority
from sensos_auth.server.management.replies import Written

# A string of RFC 9651 section 3.3.3, or the same without its quotation marks, as most clients send it.
_KEY = re.compile(r'"([\x20\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255})')
_OTHER_REQUEST = error_answer(422, "This Idempotency-Key was sent with another request: use a new key for each request")


class _Kept(msgspec.Struct, frozen=True):
    """An answer, and the scopes of whom it was for. Stored format: members may be added, with a default."""

    answer: Written
    scope: str


_decode = msgspec.msgpack.Decoder(_Kept).decode
_encode = msgspec.msgpack.Encoder().encode


class AnsweredBefore(Exception):
    """Ends a change that was made before: carries its answer."""

    def __init__(self, answer: Written) -> None:
        super().__init__("answered before")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class RepeatableRequest:
    """A creation with an idempotency key. Both digests are 32 bytes."""

    key: bytes
    request: bytes

    def look_up(self, change: Change, master_key: MasterKey, authority: Authority) -> None:
        """Raise AnsweredBefore when the key has an answer.

        Refusal (422) when that is to another request, InsufficientScope when the caller may less than he did then.
        """
        kept = kept_answer(change, self.key)
        if kept is None:
            return
        if kept.request_digest != self.request:
            raise Refusal(_OTHER_REQUEST)
        before = _decode(master_key.open(self._name, kept.sealed))
        authority.need(before.scope)
        raise AnsweredBefore(before.answer)

    def keep(self, change: Change, master_key: MasterKey, authority: Authority, answer: Written) -> None:
        """Keep the answer to the caller, in the transaction of what it answers for."""
        kept = _encode(_Kept(answer, " ".join(sorted(authority.caller.scopes))))
        keep_answer(change, self.key, self.request, seal(change, master_key, self._name, kept))

    @property
    def _name(self) -> str:
        return f"idempotency:{self.key.hex()}"


def repeatable_request(
    keys: Sequence[str], *, application_id: str, method: str, path: str, document: object
) -> RepeatableRequest | None:
    """Return what the ``Idempotency-Key`` fields of the request make it, None without one; raises InvalidInput.

    ``document`` is the body, parsed: its spelling does not count.
    """
    if not keys:
        return None
    match = _KEY.fullmatch(keys[0]) if len(keys) == 1 else None
    if match is None:
        raise InvalidInput("Idempotency-Key is one key of 1 to 255 printable ASCII characters, such as a UUID")
    body = json.dumps(document, sort_keys=True)
    return RepeatableRequest(key_digest(application_id, match[1] or match[2]), request_digest(method, path, body))
