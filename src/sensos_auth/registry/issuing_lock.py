"""The issuing lock: no token is issued while nobody knows what was taken away since the backup that was restored."""

from typing import NamedTuple

from sensos_auth.model.errors import Conflict
from sensos_auth.registry.audit import AuditFilter, events_page
from sensos_auth.registry.transactions import Change, View

RESTORED = "registry.restored"
UNLOCKED = "issuing.unlocked"


class UnknownWindow(NamedTuple):
    """From when until when (UTC seconds) nobody knows what was taken away: ``until`` is when issuing was locked."""

    since: int
    until: int


def issuing_locked_at(view: View) -> int | None:
    """Return since when issuing is locked, in UTC seconds; None when it is not."""
    locked_at: int | None = view.statements.issuing_locked_at(view.connection)
    return locked_at


def lock_issuing(change: Change) -> None:
    """Let no worker issue a token from now on. The caller's audit event says so."""
    _set(change, change.now)


def unknown_window(view: View) -> UnknownWindow | None:
    """Return the time of which nobody knows what was taken away; None when issuing is not locked."""
    locked_at = issuing_locked_at(view)
    if locked_at is None:
        return None
    return UnknownWindow(_known_until(view, locked_at), locked_at)


def unlock_issuing(change: Change) -> UnknownWindow:
    """Let tokens be issued again, because an operator has taken away anew what was taken away in the window.

    Raises Conflict when issuing is not locked.
    """
    window = unknown_window(change)
    if window is None:
        raise Conflict("issuing is not locked")
    _set(change, None)
    change.record(UNLOCKED, "issuing", window_since=window.since, window_until=window.until)
    return window


def _known_until(view: View, locked_at: int) -> int:
    known_until = locked_at
    after: tuple[int, int] | None = None
    while page := events_page(view, AuditFilter(action=RESTORED, since=locked_at), after=after):
        known_until = int(page[-1].details.get("known_until", locked_at))
        after = page[-1].version, page[-1].position
    return known_until


def _set(change: Change, locked_at: int | None) -> None:
    # Marked as a change of the signing keys, so that every worker reads them again, and the lock with them.
    change.statements.write_issuing_lock(change.connection, locked_at=locked_at)
    change.statements.mark_signing_keys_changed(change.connection, version=change.version)
