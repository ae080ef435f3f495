"""What the webhook is still to be told, and whose turn it is."""

import pytest

from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application
from sensos_auth.registry.secret_warnings import warn_of_ending_secrets
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.tenants import create_tenant
from sensos_auth.registry.webhook_turns import begin_webhook, note_failure, note_told, take_turn
from tests.registries import Clock, Place


def warn(registry: Registry, count: int) -> list[str]:
    """Make so many secrets that end soon, give their warnings, and return their IDs in the order of these."""
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        application_id = create_application(change, tenant_id=tenant_id, name="Pump").application_id
        for _ in range(count):
            create_secret(change, application_id=application_id, expires_in=3600)
    return [warned.secret.secret_id for warned in warn_of_ending_secrets(registry)]


@pytest.fixture
def warned(registry: Registry) -> list[str]:
    """Return three secrets of which the webhook is to be told; of the one before it is not."""
    warn(registry, 1)
    begin_webhook(registry)
    begin_webhook(registry)
    assert take_turn(registry, 60) is None
    return warn(registry, 3)


def _told(registry: Registry) -> list[str]:
    turn = take_turn(registry, 60)
    return [] if turn is None else [event.subject for event in turn.events]


def test_it_is_told_from_its_beginning_on_and_in_order(registry: Registry, warned: list[str]) -> None:
    """Nothing from before there was a webhook; and nothing that is no warning."""
    assert _told(registry) == warned


def test_one_at_a_time_has_the_turn(place: Place, registry: Registry, warned: list[str], clock: Clock) -> None:
    """Until its time is over: who died in its turn holds nobody up for longer."""
    other = place.open()
    assert _told(registry) == warned
    clock.advance(59)
    assert take_turn(other, 60) is None
    clock.advance(1)
    assert _told(other) == warned


def test_it_goes_on_where_it_got_to(place: Place, registry: Registry, warned: list[str]) -> None:
    """Also in another process, at once."""
    turn = take_turn(registry, 60)
    assert turn is not None
    note_told(registry, turn.events[0], 60)
    assert take_turn(place.open(), 60) is None
    note_told(registry, turn.events[1], 0)
    assert _told(place.open()) == warned[2:]


def test_failures_are_counted_until_something_is_taken(
    place: Place, registry: Registry, warned: list[str], clock: Clock
) -> None:
    """And nobody tries before the pause is over."""
    for failures in range(3):
        turn = take_turn(registry, 60)
        assert turn is not None
        assert turn.failures == failures
        note_failure(registry, 5)
        clock.advance(4)
        assert take_turn(place.open(), 60) is None
        clock.advance(1)
    turn = take_turn(registry, 60)
    assert turn is not None
    note_told(registry, turn.events[0], 0)
    turn = take_turn(registry, 60)
    assert turn is not None
    assert (turn.failures, [event.subject for event in turn.events]) == (0, warned[1:])


def test_who_lags_behind_takes_nothing_back(registry: Registry, warned: list[str], clock: Clock) -> None:
    """A process that was held up in its turn, and ends it after another has told everything."""
    slow = take_turn(registry, 60)
    clock.advance(60)
    quick = take_turn(registry, 60)
    assert slow is not None
    assert quick is not None
    note_told(registry, quick.events[-1], 0)
    note_told(registry, slow.events[0], 0)
    assert _told(registry) == []
    assert len(warned) == 3
