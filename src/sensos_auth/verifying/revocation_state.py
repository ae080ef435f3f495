"""What has been revoked, in memory: a million revoked tokens take 27 MB, and asking takes microseconds.

Revocations only ever come in. They leave when they end, because by then all that they void has expired; nothing else
takes one out, neither an older page nor an emptier one. So the order and the number of times in which pages arrive
change nothing.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import TypeVar

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.revocation import DIGEST_LENGTH, Provenance, RevocationKind, subject_digest
from sensos_auth.model.revocation_page import RevocationPage

# Tokens are the only kind that comes by the million. A digest's first two bytes name a slot, and the slot is the
# records of its tokens one behind the other: the other 14 bytes, and the end (UTC seconds, big-endian).
_SLOTS = 1 << 16
_REST = DIGEST_LENGTH - 2
_END = Struct(">I")
_RECORD = _REST + _END.size
_LATEST_END = (1 << 32) - 1

# What takes a millisecond at most, where a million tokens are held.
_TOKENS_AT_ONCE = 256
_SLOTS_AT_ONCE = 100
_PAUSE = 0.000_05  # seconds

_Item = TypeVar("_Item")
_Voided = dict[bytes, tuple[int, int]]


class RevocationState:
    """Revocations, for any number of threads that ask without a lock and one that applies and forgets.

    ``version`` is the registry version up to which it is complete, and ``as_of`` when the issuer said so last (UTC
    seconds by the issuer's clock); both are 0 at first. ``generation`` grows with every page that brought something
    new. What has ended when a page is read, by the page's own time, is not taken in: the clock here may be wrong for
    a while, and what it passed over would never be heard of again.
    """

    def __init__(self) -> None:
        self.version = 0
        self.as_of = 0
        self.generation = 0
        self._slots = [b""] * _SLOTS
        self._token_ends: Counter[int] = Counter()
        self._credentials: _Voided = {}
        self._applications: _Voided = {}
        self._tenants: _Voided = {}
        self._signing_keys: _Voided = {}

    def voids(self, token: Provenance) -> bool:
        """Tell whether a token of this provenance is void."""
        return (
            (bool(self._token_ends) and self._voids_token(subject_digest(RevocationKind.TOKEN, token.token_id)))
            or _is_in(self._credentials, RevocationKind.CREDENTIAL, token.credential_id, token.version)
            or _is_in(self._applications, RevocationKind.APPLICATION, token.application_id, token.version)
            or _is_in(self._tenants, RevocationKind.TENANT, token.tenant_id, token.version)
            or _is_in(self._signing_keys, RevocationKind.SIGNING_KEY, token.kid, _ANY_VERSION)
        )

    def apply(self, page: RevocationPage) -> None:
        """Take in what the page says and is new. Raises InvalidInput, and takes in nothing, if it is malformed."""
        _check(page)
        now = page.as_of
        before = self.entries()
        changed = False
        for digest, end in _unhurried(_tokens_after(now, page), _TOKENS_AT_ONCE):
            self._add_token(digest, end)
        for voided, entries in (
            (self._credentials, page.credentials),
            (self._applications, page.applications),
            (self._tenants, page.tenants),
            (self._signing_keys, [(digest, _ANY_VERSION + 1, ends_at) for digest, ends_at in page.signing_keys]),
        ):
            changed |= _merge(voided, entries, now)
        self.version = max(self.version, page.version)
        self.as_of = page.as_of  # the latest heard, not the highest: the issuer's clock may have been ahead
        # Last, so that whoever saw this generation has seen all of the page.
        if changed or self.entries() != before:
            self.generation += 1

    def forget_ended(self, now: float) -> None:
        """Let go of what has ended by ``now`` (UTC seconds), which should be no later than ``as_of``.

        Takes a fifth of a second for a million tokens, and no time while none has ended.
        """
        for voided in (self._credentials, self._applications, self._tenants, self._signing_keys):
            for digest in [digest for digest, (_, ends_at) in voided.items() if ends_at <= now]:
                del voided[digest]
        ended = [end for end in self._token_ends if end <= now]
        if ended:
            for index, slot in _unhurried(self._filled_slots(), _SLOTS_AT_ONCE):
                self._slots[index] = b"".join(
                    slot[start : start + _RECORD]
                    for start in range(0, len(slot), _RECORD)
                    if _END.unpack_from(slot, start + _REST)[0] > now
                )
            for end in ended:
                del self._token_ends[end]

    def have_all_asked_again(self) -> None:
        """Raise the generation, for a process that was forked while a page was being applied."""
        self.generation += 1

    def entries(self) -> int:
        """Return how many subjects are void: tokens, credentials, applications, tenants and signing keys."""
        others = (self._credentials, self._applications, self._tenants, self._signing_keys)
        return self._token_ends.total() + sum(map(len, others))

    def as_page(self, issuer: str) -> RevocationPage:
        """Return all of it as one page, as a feed would tell it to whoever knows nothing.

        Its time is no later than what is held ends, whatever the issuer's clock said: else part of it were passed over.
        """
        version = self.version  # first: another thread may apply a page meanwhile
        tokens: dict[int, bytearray] = {}
        for index, slot in _unhurried(self._filled_slots(), _SLOTS_AT_ONCE):
            for start in range(0, len(slot), _RECORD):
                (end,) = _END.unpack_from(slot, start + _REST)
                tokens.setdefault(end, bytearray()).extend(index.to_bytes(2) + slot[start : start + _REST])
        named = [_listed(voided) for voided in (self._credentials, self._applications, self._tenants)]
        signing_keys = [(digest, ends_at) for digest, _, ends_at in _listed(self._signing_keys)]
        ends = [*tokens, *(end for entries in named for *_, end in entries), *(end for _, end in signing_keys)]
        return RevocationPage(
            issuer=issuer,
            since=0,
            version=version,
            as_of=min([self.as_of, *(end - 1 for end in ends)]),
            tokens=[(end, bytes(digests)) for end, digests in sorted(tokens.items())],
            credentials=named[0],
            applications=named[1],
            tenants=named[2],
            signing_keys=signing_keys,
        )

    def _filled_slots(self) -> Iterator[tuple[int, bytes]]:
        return ((index, slot) for index, slot in enumerate(self._slots) if slot)

    def _voids_token(self, digest: bytes) -> bool:
        return _position(self._slots[int.from_bytes(digest[:2])], digest[2:]) >= 0

    def _add_token(self, digest: bytes, end: int) -> None:
        index, rest = int.from_bytes(digest[:2]), digest[2:]
        slot = self._slots[index]
        position = _position(slot, rest)
        # A process may fork between any two lines, and half of what was done must not hide a token: the end is counted
        # before the token is there, and no longer counted only after it has gone.
        if position < 0:
            self._token_ends[end] += 1
            self._slots[index] = slot + rest + _END.pack(end)
            return
        (held,) = _END.unpack_from(slot, position + _REST)
        if held < end:
            self._token_ends[end] += 1
            self._slots[index] = slot[: position + _REST] + _END.pack(end) + slot[position + _RECORD :]
            self._token_ends[held] -= 1
            if not self._token_ends[held]:
                del self._token_ends[held]


_ANY_VERSION = (1 << 63) - 1


def _position(slot: bytes, rest: bytes) -> int:
    position = slot.find(rest)
    while position % _RECORD and position >= 0:  # across two records, or in an end: once in 2^112 by chance
        position = slot.find(rest, position + 1)
    return position


def _is_in(voided: _Voided, kind: RevocationKind, identifier: str, version: int) -> bool:
    if not voided:
        return False
    found = voided.get(subject_digest(kind, identifier))
    return found is not None and version < found[0]


def _merge(voided: _Voided, entries: Iterable[tuple[bytes, int, int]], now: int) -> bool:
    changed = False
    for digest, void_before, ends_at in entries:
        held = voided.get(digest, (0, 0))
        merged = max(held[0], void_before), max(held[1], ends_at)
        if ends_at > now and merged != held:
            voided[digest] = merged
            changed = True
    return changed


def _tokens_after(now: int, page: RevocationPage) -> Iterator[tuple[bytes, int]]:
    for ends_at, digests in page.tokens:
        if ends_at > now:
            end = min(ends_at, _LATEST_END)
            for start in range(0, len(digests), DIGEST_LENGTH):
                yield digests[start : start + DIGEST_LENGTH], end


def _unhurried(items: Iterable[_Item], at_once: int) -> Iterator[_Item]:
    """Yield the items, and let other threads run after so many: else each of theirs waits 5 ms to get its turn."""
    for number, item in enumerate(items, 1):
        yield item
        if number % at_once == 0:
            time.sleep(_PAUSE)


def _listed(voided: _Voided) -> list[tuple[bytes, int, int]]:
    return [(digest, void_before, ends_at) for digest, (void_before, ends_at) in sorted(voided.items())]


def _check(page: RevocationPage) -> None:
    named = (page.credentials, page.applications, page.tenants)
    digests = [digest for entries in named for digest, _, _ in entries] + [digest for digest, _ in page.signing_keys]
    if any(len(digest) != DIGEST_LENGTH for digest in digests) or any(
        len(together) % DIGEST_LENGTH for _, together in page.tokens
    ):
        raise InvalidInput("a page of the revocation feed has a digest of the wrong length")
