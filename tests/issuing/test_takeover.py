"""The takeover of the next key, and the verifiers that lack it."""

from dataclasses import replace

from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.issuing.takeover import WAITS_AT_MOST, put_takeover_off
from sensos_auth.model.signing_key import PUBLISHED_BEFORE_SIGNING, SIGNS_FOR, KeyState, SigningKey
from sensos_auth.registry import Registry
from sensos_auth.registry.audit import list_events
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.verifiers import VerifierReport, record_verifiers
from tests.issuing.deployment import MASTER_KEY
from tests.registries import START, Clock

MINUTE = 60
TAKEOVER = START + SIGNS_FOR


def keys(registry: Registry) -> list[SigningKey]:
    """Return all keys."""
    with registry.view() as view:
        return list_signing_keys(view)


def rotation(registry: Registry, clock: Clock) -> SigningKey:
    """Have a key sign and the next one published, and return that, a minute before it takes over."""
    keep_keys_current(registry, MASTER_KEY, "ES256")
    clock.milliseconds = (TAKEOVER - PUBLISHED_BEFORE_SIGNING) * 1000
    upcoming = keep_keys_current(registry, MASTER_KEY, "ES256")
    assert upcoming is not None
    clock.milliseconds = (TAKEOVER - MINUTE) * 1000
    return upcoming


def report(registry: Registry, clock: Clock, *names: str, kids: tuple[str, ...] = ("k1",)) -> None:
    """Have live verifiers say which keys they hold."""
    now = clock.milliseconds
    made = VerifierReport("app_a", "", "ten_a", 0, kids, now, now + 20_000)
    with registry.observation() as view:
        record_verifiers(view, [replace(made, name=name) for name in names])


def test_f12_takeover_waits_for_a_live_verifier_without_the_key(registry: Registry, clock: Clock) -> None:
    """For an hour, in which the key before signs on; once it is there, no longer."""
    upcoming = rotation(registry, clock)
    report(registry, clock, "late")
    report(registry, clock, "ready", kids=("k1", upcoming.kid))
    put_off = put_takeover_off(registry)
    assert put_off is not None
    assert (put_off.kid, [each.name for each in put_off.verifiers]) == (upcoming.kid, ["late"])
    first, second = keys(registry)
    assert first.signs_until == second.signs_from == put_off.signs_from == clock.seconds() + 3600
    assert put_takeover_off(registry) is None
    clock.advance(3600 - MINUTE)
    report(registry, clock, "late", kids=("k1", upcoming.kid))
    assert put_takeover_off(registry) is None
    clock.advance(MINUTE)
    assert [key.state(clock.seconds()) for key in keys(registry)] == [KeyState.RETIRING, KeyState.ACTIVE]


def test_f12_nobody_holds_a_rotation_up_for_longer_than_a_day(registry: Registry, clock: Clock) -> None:
    """A verifier that never fetches the key, and says so every minute, is left behind then."""
    upcoming = rotation(registry, clock)
    times = 0
    while keys(registry)[1].state(clock.seconds()) is KeyState.UPCOMING:
        report(registry, clock, "never")
        times += put_takeover_off(registry) is not None
        keep_keys_current(registry, MASTER_KEY, "ES256")
        clock.advance(10 * MINUTE)
    assert keys(registry)[1].signs_from == upcoming.signs_from + WAITS_AT_MOST
    assert 24 <= times <= 49
    with registry.view() as view:
        scheduled = [event for event in list_events(view) if event.action == "signing_key.scheduled"]
    assert len(scheduled) == 1 + 2 * times


def test_takeover_is_on_schedule_where_nobody_lacks_the_key(registry: Registry, clock: Clock) -> None:
    """Who went away, and who says nothing of keys, is not waited for; nor is anybody days before."""
    upcoming = rotation(registry, clock)
    report(registry, clock, "gone")
    clock.advance(25)
    report(registry, clock, "silent", kids=())
    assert put_takeover_off(registry) is None
    clock.milliseconds = (TAKEOVER - 7200) * 1000
    report(registry, clock, "early")
    assert put_takeover_off(registry) is None
    assert keys(registry)[1] == upcoming


def test_without_a_rotation_nothing_waits(registry: Registry, clock: Clock) -> None:
    """An only key goes on, whoever holds it."""
    report(registry, clock, "late")
    assert put_takeover_off(registry) is None
    keep_keys_current(registry, MASTER_KEY, "ES256")
    report(registry, clock, "late")
    assert put_takeover_off(registry) is None
