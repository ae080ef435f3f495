"""Warnings before a secret ends: 90, 60, 30, 15, 7 and 1 days, each of them once."""

from collections.abc import Iterator
from typing import NamedTuple

from sensos_auth.registry.transactions import Change, Registry, View

WARNED_ACTION = "secret.expires_soon"
_ACTOR = "system:warnings"
_DAY = 86_400
_THRESHOLDS = (1, 7, 15, 30, 60, 90)  # days


class EndingSecret(NamedTuple):
    """A secret that ends at ``expires_at`` (UTC seconds); ``warned_days`` is the last warning that was given."""

    secret_id: str
    application_id: str
    tenant_id: str
    label: str
    expires_at: int
    warned_days: int | None


class Warned(NamedTuple):
    """A warning that was given: of which secret, and that it ends within so many days."""

    secret: EndingSecret
    days: int


def ending_secrets(view: View, within: int) -> list[EndingSecret]:
    """Return the good secrets of enabled applications that end within so many seconds, those that end first, first."""
    rows = view.statements.ending_secrets(view.connection, now=view.now, until=view.now + within)
    return [EndingSecret(*row) for row in rows]


def warn_of_ending_secrets(registry: Registry) -> Iterator[Warned]:
    """Give the warnings that are due, one after the other, each in a change of its own, and yield each once it is.

    Who missed some gets the nearest one only. Any number of processes may do this at any time: each warning is given by
    one of them. Raises RegistryUnavailable.
    """
    with registry.view() as view:
        ending = ending_secrets(view, _THRESHOLDS[-1] * _DAY)
        due = [secret.secret_id for secret in ending if _due(secret, view.now) is not None]
    for secret_id in due:
        try:
            with registry.change(_ACTOR) as change:
                warned = _warn(change, secret_id)
        except _NothingDone:
            continue
        yield warned


class _NothingDone(Exception):
    """Another process was faster, or the secret is another by now; the change is abandoned."""


def _warn(change: Change, secret_id: str) -> Warned:
    row = change.statements.ending_secret(change.connection, secret_id=secret_id)
    secret = None if row is None else EndingSecret(*row)
    days = None if secret is None else _due(secret, change.now)
    if secret is None or days is None:
        raise _NothingDone
    change.statements.write_warned_days(change.connection, secret_id=secret_id, days=days)
    change.record(
        WARNED_ACTION,
        secret_id,
        tenant_id=secret.tenant_id,
        application_id=secret.application_id,
        label=secret.label or None,
        expires_at=secret.expires_at,
        days=days,
    )
    return Warned(secret, days)


def _due(secret: EndingSecret, now: int) -> int | None:
    left = secret.expires_at - now
    days = next((days for days in _THRESHOLDS if left <= days * _DAY), None)
    if left <= 0 or days is None or (secret.warned_days is not None and secret.warned_days <= days):
        return None
    return days
