"""Verifying the audit trail: is it what was written, and if not, what was done to it and where."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sensos_auth.registry.audit import audit_head
from sensos_auth.registry.audit_chain import StoredEvent, chained_hash
from sensos_auth.registry.audit_diagnosis import Link, Tampering, TrailFinding, diagnose
from sensos_auth.registry.audit_export import ExportedEvent
from sensos_auth.registry.transactions import View

_PAGE = 5000
_BEFORE_ALL = -(1 << 63)
_TYPES = ((int,), (int,), (int,), (str,), (str,), (str, type(None)), (str,), (str,))
_HASH_TYPES = (bytes, type(None))

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class TrailReport:
    """What a verification found: nothing wrong if there are no ``findings``.

    ``events`` were looked at, ``unchained`` of them from before there was a chain. ``head`` is the hash of the last one
    as the registry knows it, ``version`` the registry version of the last event.
    """

    events: int
    unchained: int
    version: int
    head: bytes | None
    findings: list[TrailFinding]


def verify_trail(view: View, progress: Progress = lambda _: None) -> TrailReport:
    """Walk the whole trail. ``progress`` is told how many events have been looked at, now and then.

    A chain that somebody made anew, from an altered event to its end and with the registry's own last hash, is as good
    as the first: :func:`holds_head` and :func:`compare_with_export` find that.
    """
    head = audit_head(view)
    events = unchained = version = 0
    expected: bytes | None = None
    has_begun, is_sound = False, True
    for link, last in _links(view, progress):
        events += 1
        version = last
        if link.hash is None and not has_begun:
            unchained += 1
            continue
        has_begun = True
        is_sound = is_sound and link.is_intact and link.hash_before == expected
        expected = link.hash
    findings: list[TrailFinding] = []
    if not is_sound or expected != head:
        links = [link for link, _ in _links(view, lambda _: None)][unchained:]
        findings = diagnose(links, head)
    return TrailReport(events, unchained, version, head, findings)


def holds_head(view: View, head: bytes) -> tuple[int, int] | None:
    """Return the version and position of the event with this hash, or None if the trail holds none."""
    row = view.statements.event_with_hash(view.connection, hash=head)
    return None if row is None else (row[0], row[1])


def compare_with_export(
    view: View, exported: Iterable[ExportedEvent], progress: Progress = lambda _: None
) -> tuple[int, list[TrailFinding]]:
    """Hold the trail against events that were exported from it, in their order; return how many, and what differs.

    The export may begin after the trail and end before it; what it does not reach is not judged.
    """
    stored = _stored(view, progress)
    here = next(stored, None)
    findings: list[TrailFinding] = []
    count = 0
    for there in exported:
        while here is not None and here[0][:2] < there.event[:2]:
            if count:  # within what was exported
                findings.append(_differs(Tampering.INSERTED, here[0], "is none that was exported"))
            here = next(stored, None)
        count += 1
        if here is None or here[0][:2] != there.event[:2]:
            findings.append(_differs(Tampering.REMOVED, there.event, "was exported, and is gone"))
            continue
        if here != (there.event, there.hash):
            findings.append(_differs(Tampering.ALTERED, there.event, "is another than the one that was exported"))
        here = next(stored, None)
    return count, findings


def _differs(kind: Tampering, event: StoredEvent, says: str) -> TrailFinding:
    return TrailFinding(kind, event.version, event.position, f"the event {event.version}/{event.position} {says}")


def _links(view: View, progress: Progress) -> Iterator[tuple[Link, int]]:
    for row in _rows(view, progress):
        event, before, digest = StoredEvent(*row[:8]), row[8], row[9]
        is_typed = all(isinstance(value, kinds) for value, kinds in zip(event, _TYPES, strict=True))
        is_intact = is_typed and isinstance(before, _HASH_TYPES) and chained_hash(before, event) == digest
        yield Link((event.version, event.position), before, digest, is_intact), event.version


def _stored(view: View, progress: Progress) -> Iterator[tuple[StoredEvent, bytes | None]]:
    for row in _rows(view, progress):
        yield StoredEvent(*row[:8]), row[9]


def _rows(view: View, progress: Progress) -> Iterator[tuple[Any, ...]]:
    place = (_BEFORE_ALL, _BEFORE_ALL)
    count = 0
    while True:
        rows = list(view.statements.chained_events(view.connection, version=place[0], position=place[1], limit=_PAGE))
        yield from rows
        count += len(rows)
        progress(count)
        if len(rows) < _PAGE:
            return
        place = rows[-1][0], rows[-1][1]
