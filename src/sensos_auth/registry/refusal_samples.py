"""Samples of refused authentications in the audit trail: few enough that nobody fills it, enough to see an attack.

Every refusal is counted (:mod:`sensos_auth.registry.usage`); the trail tells of an application that is refused once an
hour at most, and of ten applications a minute at most. It tells the application and how often, never why, and nothing
that a client sent but the ID of an application that exists.
"""

from collections.abc import Mapping

from sensos_auth.model.errors import NotFound
from sensos_auth.registry.applications import get_application
from sensos_auth.registry.transactions import Change, Registry, View

_ACTOR = "system:usage"
# Seconds.
_ONE_APPLICATION_EVERY = 3600
_ALL_APPLICATIONS_EVERY = 60
_MOST_OF_ALL = 10


def sample_refusals(registry: Registry, refusals: Mapping[str, int]) -> list[str]:
    """Record ``authentication.refused`` for some of the applications in ``refusals``, and return their IDs.

    ``refusals`` has how often requests that named the application were refused, by application ID; those that do not
    exist are passed over, and the most refused come first. Any number of processes may call this at any time. Raises
    RegistryUnavailable.
    """
    with registry.view() as view:
        if not _due(view, refusals):
            return []
    try:
        with registry.change(_ACTOR) as change:
            return _sample(change, refusals)
    except _NothingDone:
        return []


class _NothingDone(Exception):
    """Another process was faster; the change is abandoned."""


def _sample(change: Change, refusals: Mapping[str, int]) -> list[str]:
    due = _due(change, refusals)
    if not due:
        raise _NothingDone
    change.statements.forget_refusal_samples(change.connection, until=change.now - _ONE_APPLICATION_EVERY)
    for application_id in due:
        application = get_application(change, application_id)
        change.statements.note_refusal_sample(change.connection, application_id=application_id, now=change.now)
        change.record(
            "authentication.refused",
            application_id,
            tenant_id=application.tenant_id,
            refusals=refusals[application_id],
        )
    return due


def _due(view: View, refusals: Mapping[str, int]) -> list[str]:
    told = view.statements.count_refusal_samples(view.connection, since=view.now - _ALL_APPLICATIONS_EVERY)
    room = _MOST_OF_ALL - int(told)
    due: list[str] = []
    for application_id in sorted(refusals, key=lambda each: -refusals[each]):
        if len(due) >= room:
            break
        if _exists(view, application_id) and not _was_sampled(view, application_id):
            due.append(application_id)
    return due


def _exists(view: View, application_id: str) -> bool:
    try:
        get_application(view, application_id)
    except NotFound:
        return False
    return True


def _was_sampled(view: View, application_id: str) -> bool:
    since = view.now - _ONE_APPLICATION_EVERY
    return bool(view.statements.was_refusal_sampled(view.connection, application_id=application_id, since=since))
