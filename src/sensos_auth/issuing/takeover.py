"""The takeover of the next signing key waits, within a bound, for live verifiers that say they do not hold it."""

from dataclasses import dataclass

from sensos_auth.model.signing_key import PUBLISHED_BEFORE_SIGNING, KeyState, SigningKey, active_key
from sensos_auth.registry import Change, Registry, View
from sensos_auth.registry.signing_keys import list_signing_keys, schedule_signing_key
from sensos_auth.registry.verifiers import VerifierReport, verifiers_without_key

# Seconds. Beyond the schedule, however many verifiers lack the key: none may hold a rotation up for longer.
WAITS_AT_MOST = 24 * 3600
# Seconds before the takeover at which it is put off, and from then until when. Whoever calls looks every minute.
_DECIDED_BEFORE = 1800
_PUT_OFF_BY = 3600


@dataclass(frozen=True, slots=True)
class PutOff:
    """A takeover that waits: of which key, until when (UTC seconds), and for whom."""

    kid: str
    signs_from: int
    verifiers: list[VerifierReport]


def put_takeover_off(registry: Registry) -> PutOff | None:
    """Let the active key sign on for an hour, if the next one is about to take over and a live verifier lacks it.

    Never to later than 24 hours after the schedule. Any number of processes may call this at any time. Raises
    RegistryUnavailable.
    """
    with registry.view() as view:
        if _decide(view) is None:
            return None
    try:
        with registry.change("system:rotation") as change:
            return _put_off(change)
    except _NothingDone:
        return None


class _NothingDone(Exception):
    """Another process was faster; the change is abandoned."""


def _put_off(change: Change) -> PutOff:
    decided = _decide(change)
    if decided is None:
        raise _NothingDone
    active, put_off = decided
    schedule_signing_key(change, active.kid, signs_from=active.signs_from, signs_until=put_off.signs_from)
    schedule_signing_key(change, put_off.kid, signs_from=put_off.signs_from, signs_until=None)
    return put_off


def _decide(view: View) -> tuple[SigningKey, PutOff] | None:
    """Return the key that signs on and for what, if a takeover is near that has to wait and still may."""
    keys, now = list_signing_keys(view), view.now
    active = active_key(keys, now)
    upcoming = next((key for key in keys if key.state(now) is KeyState.UPCOMING), None)
    if active is None or upcoming is None or active.signs_until != upcoming.signs_from:
        return None
    latest = upcoming.created_at + PUBLISHED_BEFORE_SIGNING + WAITS_AT_MOST
    signs_from = min(now + _PUT_OFF_BY, latest)
    if upcoming.signs_from - now > _DECIDED_BEFORE or signs_from <= upcoming.signs_from:
        return None
    lacking = verifiers_without_key(view, upcoming.kid, now * 1000)
    return (active, PutOff(upcoming.kid, signs_from, lacking)) if lacking else None
