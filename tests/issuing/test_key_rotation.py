import pytest

from sensos_auth.issuing.key_rotation import keep_keys_current, revoke, rotate
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.model.errors import Conflict, NotFound
from sensos_auth.model.signing_key import SigningKey, active_key
from sensos_auth.registry import Registry
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.signing_keys import list_signing_keys, sealed_private_key
from tests.issuing.deployment import MASTER_KEY
from tests.registries import START, Clock

_H, _D = 3600, 86_400


def _keep(registry: Registry) -> SigningKey | None:
    return keep_keys_current(registry, MASTER_KEY, "ES256")


def _rotate(registry: Registry, *, immediately: bool = False) -> SigningKey:
    return rotate(registry, MASTER_KEY, "ES256", actor="me", immediately=immediately)


def _revoke(registry: Registry, kid: str) -> SigningKey:
    return revoke(registry, MASTER_KEY, "ES256", kid, actor="me")


def _keys(registry: Registry) -> list[SigningKey]:
    with registry.view() as view:
        return list_signing_keys(view)


def _states(registry: Registry, clock: Clock) -> list[str]:
    return [key.state(clock.seconds()).value for key in _keys(registry)]


def test_first_key_signs_at_once(registry: Registry, clock: Clock) -> None:
    """On a new registry the first key is active in the second in which it is made, and made once."""
    key = _keep(registry)
    assert key is not None
    assert key.signs_from == START
    assert _states(registry, clock) == ["active"]
    assert _keep(registry) is None


def test_rotation_by_itself_follows_the_schedule(registry: Registry, clock: Clock) -> None:
    """A key is published from 48 h before it signs to 24 h + the longest lifetime after, and erased then."""
    _keep(registry)
    story = []
    for after in (28 * _D - 1, 28 * _D, 30 * _D - 1, 30 * _D, 32 * _D - 1, 32 * _D):
        clock.milliseconds = (START + after) * 1000
        _keep(registry)
        story.append((_states(registry, clock), [key.has_private_key for key in _keys(registry)]))
    assert story == [
        (["active"], [True]),
        (["active", "upcoming"], [True, True]),
        (["active", "upcoming"], [True, True]),
        (["retiring", "active"], [True, True]),
        (["retiring", "active"], [True, True]),
        (["retired", "active"], [False, True]),
    ]


def test_service_that_slept_for_months_publishes_before_it_signs(registry: Registry, clock: Clock) -> None:
    """The old key goes on signing until its successor has been published for 48 h."""
    first = _keep(registry)
    clock.advance(200 * _D)
    second = _keep(registry)
    assert second is not None
    assert second.signs_from == START + 202 * _D
    clock.advance(48 * _H - 1)
    assert active_key(_keys(registry), clock.seconds()) == _keys(registry)[0]
    assert first is not None
    assert _keys(registry)[0].kid == first.kid


def test_rotate_starts_the_schedule_now(registry: Registry, clock: Clock) -> None:
    """``keys rotate`` publishes the next key, which takes over in 48 h; a second one is refused meanwhile."""
    _keep(registry)
    clock.advance(5 * _D)
    key = _rotate(registry)
    assert key.signs_from == clock.seconds() + 48 * _H
    assert _states(registry, clock) == ["active", "upcoming"]
    with pytest.raises(Conflict, match="--immediately"):
        _rotate(registry)
    clock.advance(48 * _H)
    assert _states(registry, clock) == ["retiring", "active"]


def test_rotate_on_a_new_registry_makes_the_first_key(registry: Registry, clock: Clock) -> None:
    """There is nothing to take over from: the key signs at once."""
    _rotate(registry)
    assert _states(registry, clock) == ["active"]


def test_rotate_immediately_takes_over_now(registry: Registry, clock: Clock) -> None:
    """The old key stays published, so that its tokens go on being accepted."""
    _keep(registry)
    clock.advance(_D)
    key = _rotate(registry, immediately=True)
    assert active_key(_keys(registry), clock.seconds()) == key
    assert _states(registry, clock) == ["retiring", "active"]


def test_rotate_immediately_prefers_the_key_that_verifiers_know(registry: Registry, clock: Clock) -> None:
    """An upcoming key takes over in place of a fresh one."""
    _keep(registry)
    clock.advance(_D)
    upcoming = _rotate(registry)
    clock.advance(_H)
    assert _rotate(registry, immediately=True).kid == upcoming.kid
    assert _states(registry, clock) == ["retiring", "active"]


def test_several_rotations_in_one_second_leave_one_active_key(registry: Registry, clock: Clock) -> None:
    """A key may end in the second in which it began."""
    _keep(registry)
    for _ in range(3):
        _rotate(registry, immediately=True)
    assert sorted(_states(registry, clock)) == ["active", "retiring", "retiring", "retiring"]


def test_revoking_the_active_key_puts_another_in_its_place(registry: Registry, clock: Clock) -> None:
    """The revoked key loses its private half and leaves the JWKS at once; a fresh one signs in the same second."""
    first = _keep(registry)
    assert first is not None
    keyring = Keyring(KeysInRegistry(registry), MASTER_KEY)
    assert first.kid.encode() in keyring.jwks(clock.seconds())
    revoked = _revoke(registry, first.kid)
    assert (revoked.revoked_at, revoked.has_private_key) == (START, False)
    assert sorted(_states(registry, clock)) == ["active", "revoked"]
    assert first.kid.encode() not in keyring.jwks(clock.seconds())
    assert keyring.current_signer(clock.seconds()).kid != first.kid
    with registry.view() as view:
        assert sealed_private_key(view, first.kid) is None


def test_revoking_the_active_key_lets_the_upcoming_one_sign(registry: Registry, clock: Clock) -> None:
    """The key that verifiers know already takes over."""
    first = _keep(registry)
    assert first is not None
    upcoming = _rotate(registry)
    _revoke(registry, first.kid)
    active = active_key(_keys(registry), clock.seconds())
    assert active is not None
    assert active.kid == upcoming.kid


def test_revoking_the_upcoming_key_keeps_the_active_one(registry: Registry, clock: Clock) -> None:
    """The active key goes on signing, past the takeover that is called off, and a new rotation can begin."""
    _keep(registry)
    upcoming = _rotate(registry)
    _revoke(registry, upcoming.kid)
    clock.advance(60 * _H)
    assert sorted(_states(registry, clock)) == ["active", "revoked"]
    assert _rotate(registry).kid != upcoming.kid


def test_revoking_a_retiring_key_changes_no_other(registry: Registry, clock: Clock) -> None:
    """It leaves the JWKS; the active key stays."""
    first = _keep(registry)
    assert first is not None
    second = _rotate(registry, immediately=True)
    _revoke(registry, first.kid)
    assert sorted(_states(registry, clock)) == ["active", "revoked"]
    assert active_key(_keys(registry), clock.seconds()) == second


def test_revoking_twice_or_nothing_is_refused(registry: Registry) -> None:
    """A revoked key can't be revoked again, and an unknown one not at all; neither leaves a trace."""
    first = _keep(registry)
    assert first is not None
    _revoke(registry, first.kid)
    with registry.view() as view:
        before = list_events(view)
    with pytest.raises(Conflict):
        _revoke(registry, first.kid)
    with pytest.raises(NotFound):
        _revoke(registry, "x' OR '1'='1")
    with registry.view() as view:
        assert list_events(view) == before


def test_every_step_is_in_the_audit_trail(registry: Registry, clock: Clock) -> None:
    """Who rotated, what was scheduled and what was erased is written down; rotation by itself is the system's."""
    first = _keep(registry)
    second = _rotate(registry, immediately=True)
    clock.advance(10 * _D)
    _keep(registry)
    with registry.view() as view:
        events = [(event.actor, event.action, event.subject) for event in list_events(view)]
    assert first is not None
    assert events == [
        ("system:rotation", "signing_key.published", first.kid),
        ("me", "signing_key.scheduled", first.kid),
        ("me", "signing_key.published", second.kid),
        ("system:rotation", "signing_key.erased", first.kid),
    ]


def test_z58_forward_jump_of_ten_years_skips_no_publication(registry: Registry, clock: Clock) -> None:
    """Ten years ahead: the next key still waits its 48 h, and the old one signs; back again, the old one signs on."""
    first = _keep(registry)
    assert first is not None
    clock.advance(3650 * _D)
    second = _keep(registry)
    assert second is not None
    assert second.signs_from == clock.seconds() + 48 * _H
    clock.advance(-3650 * _D)
    assert _keep(registry) is None
    active = active_key(_keys(registry), clock.seconds())
    assert active is not None
    assert (active.kid, active.has_private_key) == (first.kid, True)
    # The way out of a schedule ten years ahead.
    assert _rotate(registry, immediately=True).kid == second.kid


@pytest.mark.parametrize("act", ["revoke", "rotate-immediately"])
def test_z53_emergency_works_while_the_clock_is_back(registry: Registry, clock: Clock, act: str) -> None:
    """With a clock behind the first key's beginning, revoking and rotating still leave exactly one key to sign."""
    first = _keep(registry)
    assert first is not None
    clock.advance(-3600)
    if act == "revoke":
        _revoke(registry, first.kid)
    else:
        _rotate(registry, immediately=True)
    for later in (0, 3600, 7200):
        active = active_key(_keys(registry), START - 3600 + later)
        assert active is not None
        assert active.kid != first.kid
        assert active.has_private_key
