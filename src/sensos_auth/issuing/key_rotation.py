"""Signing keys come and go: the first one, the next in time, the emergency, and the end of a leaked one."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from sensos_auth.issuing.key_pair import KeyPair, new_key_pair
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.sealing import seal
from sensos_auth.model.errors import Conflict, NotFound
from sensos_auth.model.signing_key import (
    PUBLISHED_BEFORE_SIGNING,
    SIGNS_FOR,
    Algorithm,
    KeyState,
    SigningKey,
    active_key,
    newest_key,
    rotation_due,
)
from sensos_auth.registry import Change, Registry, View
from sensos_auth.registry.signing_keys import (
    add_signing_key,
    erase_private_keys,
    list_signing_keys,
    mark_signing_key_revoked,
    schedule_signing_key,
)


def keep_keys_current(registry: Registry, master_key: MasterKey, algorithm: Algorithm) -> SigningKey | None:
    """Publish the next key if one is due (the very first signs at once), and erase private halves that are done.

    Returns the new key, if any. Any number of processes may call this at any time: one of them makes the key.
    """
    with registry.view() as view:
        keys = list_signing_keys(view)
        done = _finished(keys, view.now)
        due = rotation_due(keys, view.now)
    if not due and not done:
        return None
    pair = new_key_pair(algorithm) if due else None
    try:
        with registry.change("system:rotation") as change:
            return _keep_current(change, master_key, pair)
    except _NothingDone:
        return None


class _NothingDone(Exception):
    """Another process was faster; the change is abandoned."""


def _keep_current(change: Change, master_key: MasterKey, pair: KeyPair | None) -> SigningKey | None:
    keys = list_signing_keys(change)
    added = None
    if pair is not None and rotation_due(keys, change.now):
        newest = newest_key(keys)
        signs_from = change.now
        if newest is not None:
            signs_from = max(newest.signs_from + SIGNS_FOR, change.now + PUBLISHED_BEFORE_SIGNING)
            schedule_signing_key(change, newest.kid, signs_from=newest.signs_from, signs_until=signs_from)
        added = _add(change, master_key, pair, signs_from)
    erase_private_keys(change, _finished(keys, change.now))
    if not change.is_recorded:
        raise _NothingDone
    return added


def _permitted(_: View) -> None:
    """Permit whoever can open the registry."""


def rotate(
    registry: Registry,
    master_key: MasterKey,
    algorithm: Algorithm,
    *,
    actor: str,
    immediately: bool,
    permit: Callable[[View], None] = _permitted,
) -> SigningKey:
    """Make the next key take over: in 48 h, when every verifier has had the time to learn it, or immediately.

    Immediately means that a verifier that has not yet fetched the new key refuses its tokens until it has. An
    upcoming key, which verifiers know already, is preferred to a fresh one then. Raises Conflict when a rotation is
    under way already or another immediate one was faster, and whatever ``permit`` raises, which is called first in the
    change.
    """
    pair = new_key_pair(algorithm)  # before the change: an RSA key takes a while
    if immediately:
        _let_every_node_publish(registry, master_key, pair, actor=actor, permit=permit)
    with registry.change(actor) as change:
        permit(change)
        keys = list_signing_keys(change)
        active, newest = active_key(keys, change.now), newest_key(keys)
        if active is None or newest is None:
            return _add(change, master_key, pair, change.now)
        if immediately and newest is active and registry.database.settles_in:
            # And a further one would sign before every node has published it.
            raise Conflict(f"another immediate rotation was faster: the key {active.kid} has just taken over")
        if immediately:
            return _replace(change, active, keys, master_key, pair)
        if newest is not active:
            raise Conflict(
                f"the key {newest.kid} is published already and takes over on schedule; "
                "an immediate rotation (--immediately) makes it take over now"
            )
        signs_from = change.now + PUBLISHED_BEFORE_SIGNING
        schedule_signing_key(change, newest.kid, signs_from=newest.signs_from, signs_until=signs_from)
        return _add(change, master_key, pair, signs_from)


def revoke(
    registry: Registry,
    master_key: MasterKey,
    algorithm: Algorithm,
    kid: str,
    *,
    actor: str,
    permit: Callable[[View], None] = _permitted,
) -> SigningKey:
    """End the key at once: it signs nothing more and leaves the JWKS. Another one takes over where it was active.

    Returns the revoked key. Raises NotFound; Conflict when it is revoked already; whatever ``permit`` raises, which is
    called first in the change.
    """
    pair = new_key_pair(algorithm)
    _let_every_node_publish(registry, master_key, pair, actor=actor, permit=permit, instead_of=kid)
    with registry.change(actor) as change:
        permit(change)
        keys = list_signing_keys(change)
        key = next((key for key in keys if key.kid == kid), None)
        if key is None:
            raise NotFound(f"there is no signing key {kid}")
        if key.state(change.now) is KeyState.REVOKED:
            raise Conflict(f"the signing key {kid} is revoked already")
        active = active_key(keys, change.now)
        if key is active:
            _replace(change, active, keys, master_key, pair)
        elif active is not None and key is newest_key(keys):
            _cancel_upcoming(change, key, active)
        mark_signing_key_revoked(change, kid)
        return next(key for key in list_signing_keys(change) if key.kid == kid)


def _let_every_node_publish(
    registry: Registry,
    master_key: MasterKey,
    pair: KeyPair,
    *,
    actor: str,
    permit: Callable[[View], None],
    instead_of: str | None = None,
) -> None:
    """Where there are several nodes: see to it that all publish the next key before one of them signs with it.

    With ``instead_of`` only if that is the key which signs. When this is all that happens, the next key takes over on
    schedule.
    """
    if not registry.database.settles_in:
        return
    with suppress(_NothingDone), registry.change(actor) as change:
        permit(change)
        keys = list_signing_keys(change)
        active, newest = active_key(keys, change.now), newest_key(keys)
        if active is None or newest is not active or instead_of not in {None, active.kid}:
            raise _NothingDone
        signs_from = change.now + PUBLISHED_BEFORE_SIGNING
        schedule_signing_key(change, active.kid, signs_from=active.signs_from, signs_until=signs_from)
        _add(change, master_key, pair, signs_from)
    # Also for one that was published a moment ago, by somebody else.
    time.sleep(registry.database.settles_in)


def _replace(
    change: Change, active: SigningKey, keys: list[SigningKey], master_key: MasterKey, pair: KeyPair
) -> SigningKey:
    # The earlier start matters only where the clock has been set back: no key may end before it starts.
    starts = min(active.signs_from, change.now)
    schedule_signing_key(change, active.kid, signs_from=starts, signs_until=change.now)
    newest = newest_key(keys)
    if newest is None or newest is active:
        return _add(change, master_key, pair, change.now)
    schedule_signing_key(change, newest.kid, signs_from=change.now, signs_until=None)
    return replace(newest, signs_from=change.now)


def _cancel_upcoming(change: Change, upcoming: SigningKey, active: SigningKey) -> None:
    schedule_signing_key(change, upcoming.kid, signs_from=upcoming.signs_from, signs_until=upcoming.signs_from)
    schedule_signing_key(change, active.kid, signs_from=active.signs_from, signs_until=None)


def _add(change: Change, master_key: MasterKey, pair: KeyPair, signs_from: int) -> SigningKey:
    key = SigningKey(
        kid=pair.kid,
        algorithm=pair.algorithm,
        public_jwk=pair.public_jwk,
        created_at=change.now,
        signs_from=signs_from,
        signs_until=None,
        revoked_at=None,
        has_private_key=True,
    )
    add_signing_key(change, key, seal(change, master_key, pair.kid, pair.private_key))
    return key


def _finished(keys: list[SigningKey], now: int) -> list[str]:
    return [key.kid for key in keys if key.has_private_key and key.state(now) is KeyState.RETIRED]
