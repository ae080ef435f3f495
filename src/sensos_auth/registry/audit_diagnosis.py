"""What was done to a chain of audit events, told from the chain alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

Place = tuple[int, int]


class Tampering(StrEnum):
    """What was done to an event of the trail, or is missing before it."""

    ALTERED = "altered"
    REMOVED = "removed"
    INSERTED = "inserted"
    MOVED = "moved"
    CUT_OFF = "cut off"


@dataclass(frozen=True, slots=True)
class TrailFinding:
    """Something wrong at an event, which ``version`` and ``position`` name; ``says`` is a sentence for people."""

    kind: Tampering
    version: int
    position: int
    says: str


class Link(NamedTuple):
    """What a chain consists of: where an event stands, both its hashes, and whether its hash is that of its content."""

    place: Place
    hash_before: bytes | None
    hash: bytes | None
    is_intact: bool


def diagnose(links: Sequence[Link], head: bytes | None) -> list[TrailFinding]:
    """Return what is wrong with a chain whose last event should have the hash ``head``, in the order of the trail.

    An event that was exchanged for another one whose hashes are right shows at the next one, as a removed event.
    """
    diagnosis = _Diagnosis(links, head)
    for index, link in enumerate(links):
        following = links[index + 1].hash_before if index + 1 < len(links) else head
        diagnosis.look_at(link, following)
    diagnosis.look_at_end()
    order = {link.place: number for number, link in enumerate(links)}
    return sorted(diagnosis.findings, key=lambda finding: order.get((finding.version, finding.position), 0))


class _Diagnosis:
    def __init__(self, links: Sequence[Link], head: bytes | None) -> None:
        self.findings: list[TrailFinding] = []
        self._head = head
        self._intact = {link.hash: link for link in links if link.is_intact}
        self._altered = {link.hash for link in links if not link.is_intact}
        self._followers = {link.hash_before: link.place for link in links if link.hash_before != link.hash}
        self._belonging: list[Link] = []
        self._moved: set[bytes | None] = set()
        self._expected: bytes | None = None
        self._expects_any = False  # the hash of the event before is not to be gone by

    def look_at(self, link: Link, following: bytes | None) -> None:
        """Go on to an event; ``following`` is what the next one says that this one's hash is."""
        if link.hash is None:
            self._find(Tampering.INSERTED, link.place, "has no hash, as none has after the chain's beginning")
        elif link.is_intact:
            self._look_at_intact(link, following)
        else:
            self._look_at_altered(link, following)

    def look_at_end(self) -> None:
        """Compare the last event with the head."""
        if self._expects_any or self._expected == self._head or self._head in self._moved:
            return
        last = self._belonging[-1].place if self._belonging else (0, 0)
        if self._head is None:
            self._find(Tampering.ALTERED, last, "is the last one, but the clock's hash of the last event is gone")
        elif not self._finds_inserted_after(self._head):
            self._find(Tampering.CUT_OFF, last, "is the last one left: what came after it was removed")

    def _look_at_intact(self, link: Link, following: bytes | None) -> None:
        before = link.hash_before
        was_moved_away = before in self._moved or (before in self._altered and before not in self._intact)
        if not self._expects_any and before != self._expected and not was_moved_away:
            if following == self._expected:
                self._find(Tampering.INSERTED, link.place, "was inserted: the next one follows the one before it")
                return
            if not self._finds_inserted_after(before):
                self._find(Tampering.REMOVED, link.place, "follows an event that was removed or exchanged")
        self._belong(link)

    def _look_at_altered(self, link: Link, following: bytes | None) -> None:
        if link.hash in self._intact:
            self._find(Tampering.INSERTED, link.place, f"is a copy of {_named(self._intact[link.hash].place)}")
        elif link.hash == following:
            self._find(Tampering.ALTERED, link.place, "was altered")
            self._belong(link)
        elif link.hash in self._followers or link.hash == self._head:
            stood = _named(self._followers[link.hash]) if link.hash in self._followers else "the end"
            self._find(Tampering.MOVED, link.place, f"was moved: it stood before {stood}")
            self._moved.add(link.hash)
        elif not self._expects_any and following == self._expected:
            self._find(Tampering.INSERTED, link.place, "was inserted: the next one follows the one before it")
        else:
            self._find(Tampering.ALTERED, link.place, "was altered, with its hash")
            self._belong(link)
            self._expects_any = True

    def _finds_inserted_after(self, digest: bytes | None) -> bool:
        """Find that all after the event with this hash were inserted, if it is one that belongs to the chain."""
        if digest is not None and digest not in self._intact:
            return False
        keep = next((n for n in range(len(self._belonging), 0, -1) if self._belonging[n - 1].hash == digest), 0)
        if digest is not None and not keep:
            return False
        for link in self._belonging[keep:]:
            self._find(Tampering.INSERTED, link.place, "was inserted: the next one follows the one before it")
        del self._belonging[keep:]
        return True

    def _belong(self, link: Link) -> None:
        self._belonging.append(link)
        self._expected, self._expects_any = link.hash, False

    def _find(self, kind: Tampering, place: Place, says: str) -> None:
        self.findings.append(TrailFinding(kind, *place, f"the event {_named(place)} {says}"))


def _named(place: Place) -> str:
    return f"{place[0]}/{place[1]}"
