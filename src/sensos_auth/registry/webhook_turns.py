"""What the webhook is still to be told, and whose turn it is to tell it: one process at a time, in order.

Where the webhook has got to may be lost with the machine: then it is told the last things again.
"""

from typing import NamedTuple

from sensos_auth.registry.audit_chain import StoredEvent
from sensos_auth.registry.secret_warnings import WARNED_ACTION
from sensos_auth.registry.transactions import Registry

_AT_ONCE = 50


class Turn(NamedTuple):
    """The events to tell now, in order, and how often in a row telling has failed before."""

    events: list[StoredEvent]
    failures: int


def begin_webhook(registry: Registry) -> None:
    """Have what happens from now on told, if there was no webhook before. Raises RegistryUnavailable."""
    with registry.view() as view:
        _, told, _ = view.statements.webhook_state(view.connection)
    if told == 0:
        with registry.observation() as view:
            view.statements.begin_webhook(view.connection)


def take_turn(registry: Registry, lasts: int) -> Turn | None:
    """Return what is to be told, for ``lasts`` seconds by nobody else; ``None`` when there is nothing, or not yet.

    Raises RegistryUnavailable.
    """
    with registry.view() as view:
        version, told, turn_until = view.statements.webhook_state(view.connection)
        if told >= version or turn_until > view.now * 1000:
            return None
    with registry.observation() as view:
        now_ms = view.now * 1000
        row = view.statements.take_webhook_turn(view.connection, now_ms=now_ms, until_ms=now_ms + lasts * 1000)
        if row is None:
            return None
        version, told, failures = row
        rows = view.statements.events_to_tell(view.connection, action=WARNED_ACTION, after=told, limit=_AT_ONCE)
        events = [StoredEvent(*event) for event in rows]
        if not events:
            view.statements.note_webhook_told(view.connection, version=version, until_ms=0)
            return None
        return Turn(events, failures)


def note_told(registry: Registry, event: StoredEvent, lasts: int) -> None:
    """Write down that the webhook was told of the event; the turn goes on for ``lasts`` seconds, 0 ends it."""
    with registry.observation() as view:
        until_ms = (view.now + lasts) * 1000 if lasts else 0
        view.statements.note_webhook_told(view.connection, version=event.version, until_ms=until_ms)


def note_failure(registry: Registry, wait: int) -> None:
    """End the turn; nobody has the next one for ``wait`` seconds."""
    with registry.observation() as view:
        view.statements.note_webhook_failure(view.connection, until_ms=(view.now + wait) * 1000)
