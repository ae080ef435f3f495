"""Secrets that are revoked by themselves when they were not used for as long as somebody has set."""

from sensos_auth.model.application_secret import Secret
from sensos_auth.registry.secrets import revoke_secret
from sensos_auth.registry.transactions import Change, Registry, View

_ACTOR = "system:retirement"
# Seconds. Uses are written down once a minute, and later where the registry was busy.
_LATE_COUNTS = 300


def retire_unused_secrets(registry: Registry) -> list[Secret]:
    """Revoke the secrets whose time without use is over, and return them. Never an application's last good one.

    Any number of processes may call this at any time. Raises RegistryUnavailable.
    """
    with registry.view() as view:
        if not _due(view):
            return []
    try:
        with registry.change(_ACTOR) as change:
            return _retire(change)
    except _NothingDone:
        return []


class _NothingDone(Exception):
    """Another process was faster; the change is abandoned."""


def _retire(change: Change) -> list[Secret]:
    retired = [revoke_secret(change, secret_id) for secret_id in _due(change)]
    if not retired:
        raise _NothingDone
    return retired


def _due(view: View) -> list[str]:
    rows = view.statements.secrets_to_retire(view.connection, until=view.now - _LATE_COUNTS)
    due: list[str] = []
    for secret_id, application_id in list(rows):
        usable = view.statements.usable_secrets(view.connection, application_id=application_id, now=view.now)
        good = {row[0] for row in usable} - set(due)
        if secret_id in good and len(good) > 1:
            due.append(str(secret_id))
    return due
