"""A registry that went back: a standby took over that had not heard everything, and the last changes are lost.

Nodes have read those changes, and keep the audit events of the latest in memory. What they took away is taken away
again, as after the restore of a backup with its journal.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sensos_auth.registry.audit import AuditEvent, AuditFilter, events_page
from sensos_auth.registry.issuing_lock import RESTORED, lock_issuing
from sensos_auth.registry.replay import replay
from sensos_auth.registry.transactions import Change, Registry, View

_ACTOR: Final = "system:follower"


class LostTail(NamedTuple):
    """How many events were lost; and whether issuing is locked, because nobody knows all of them."""

    events: int
    is_locked: bool


def take_away_again(registry: Registry, seen: Sequence[AuditEvent]) -> LostTail | None:
    """Take away again what was taken away by events that this node has seen and the trail has no more.

    ``seen`` are the latest events that this node knows, in their order. When the trail has none of them, issuing is
    locked until an operator has looked (``sensos-auth issuing unlock``). Returns None when another node was faster.
    Raises RegistryUnavailable.
    """
    with registry.observation() as view:  # no version is given twice
        view.statements.raise_clock(view.connection, version=seen[-1].version if seen else 0)
    try:
        with registry.change(_ACTOR) as change:
            return _take_away(change, seen)
    except _NothingDone:
        return None


class _NothingDone(Exception):
    """Another node was faster; the change is abandoned."""


def _take_away(change: Change, seen: Sequence[AuditEvent]) -> LostTail:
    newest = seen[-1].version if seen else 0
    if _was_done(change, newest):
        raise _NothingDone
    kept = _still_there(change, seen)
    lost = seen[kept:]
    if kept:
        replay(change, lost)
    else:
        lock_issuing(change)
    change.record(
        RESTORED,
        "registry",
        known_until=lost[-1].at if lost else change.now,
        lost_events=len(lost),
        lost_until=newest,
        issuing=None if kept else "locked",
    )
    return LostTail(len(lost), not kept)


def _still_there(view: View, seen: Sequence[AuditEvent]) -> int:
    """Return how many of the events the trail still has: a hash covers all that was before it."""
    for index in range(len(seen) - 1, -1, -1):
        event = seen[index]
        found = events_page(view, after=(event.version, event.position - 1), limit=1)
        if found and found[0].hash == event.hash:
            return index + 1
    return 0


def _was_done(view: View, newest: int) -> bool:
    """Tell whether a node that had seen as much has done it; versions are milliseconds of UTC at the least."""
    told = events_page(view, AuditFilter(action=RESTORED), after=(newest, 0), limit=100)
    return any(int(event.details.get("lost_until", 0)) >= newest for event in told)
