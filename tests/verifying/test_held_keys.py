import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.verifying import KeysUnavailable, parse_jwks
from sensos_auth.verifying.held_keys import COOLDOWN, LONGEST_REFRESH, SHORTEST_REFRESH, HeldKeys, KeysHealth
from tests.verifying.issued import KEY, IssuingKey, jwks_of

KEYS = parse_jwks(jwks_of(KEY).encode())
KID = KEY.pair.kid
DAY = 86_400.0


def _held(now: float = 1000.0, max_age: int | None = 300) -> HeldKeys:
    held = HeldKeys(longest_outage=DAY, now=now)
    held.begin(now)
    held.succeed(KEYS, max_age)
    return held


def test_first_fetch_is_due_at_once() -> None:
    """Before the first fetch there are no keys, and it is due."""
    held = HeldKeys(longest_outage=DAY, now=5.0)
    assert held.due_at == 5.0
    assert not held.usable(5.0)
    with pytest.raises(KeysUnavailable):
        held.find(KID, 5.0)


@pytest.mark.parametrize(
    ("max_age", "due_after"),
    [(300, 240.0), (None, 300.0), (0, SHORTEST_REFRESH), (10, SHORTEST_REFRESH), (10**9, LONGEST_REFRESH)],
)
def test_next_fetch_is_due_before_max_age_ends(max_age: int | None, due_after: float) -> None:
    """Four fifths of max-age after the fetch began, between 30 s and 1 h; five minutes where there is none."""
    assert _held(1000.0, max_age).due_at == 1000.0 + due_after


def test_keys_serve_until_the_outage_is_too_long() -> None:
    """Keys are found until a day after the fetch that brought them began, and then no more."""
    held = _held(1000.0)
    assert held.find(KID, 1000.0 + DAY - 0.001) is KEYS[KID]
    with pytest.raises(KeysUnavailable):
        held.find(KID, 1000.0 + DAY)


def test_f06_failed_fetch_takes_nothing_away() -> None:
    """After a failure the same keys serve; retries are due after 1, 2, 4, 8, 16, 30, 30, … seconds."""
    held = _held(1000.0)
    delays = []
    for _ in range(8):
        held.begin(1240.0)
        held.fail(1243.0, "down")
        delays.append(held.due_at - 1243.0)
    assert delays == [1, 2, 4, 8, 16, 30, 30, 30]
    assert held.find(KID, 1243.0) is KEYS[KID]


def test_failures_do_not_extend_the_outage() -> None:
    """The time that keys serve counts from the last good fetch, not from the last attempt."""
    held = _held(1000.0)
    held.begin(1000.0 + DAY - 1)
    held.fail(1000.0 + DAY - 1, "down")
    assert not held.usable(1000.0 + DAY)


def test_keys_come_back_after_an_outage() -> None:
    """The next good fetch brings everything back, and the retries begin anew."""
    held = _held(1000.0)
    held.begin(2000.0 + DAY)
    held.fail(2000.0 + DAY, "down")
    held.begin(2010.0 + DAY)
    held.succeed(KEYS, 300)
    assert held.find(KID, 2010.0 + DAY) is KEYS[KID]
    held.fail(2010.0 + DAY, "down")
    assert held.due_at == 2011.0 + DAY


def test_unchanged_key_stays_the_same_object() -> None:
    """A refresh brings the same object for a key that has not changed, and another one for a key that has."""
    held = _held(1000.0)
    held.begin(1240.0)
    held.succeed(parse_jwks(jwks_of(IssuingKey(), KEY).encode()), 300)
    assert held.find(KID, 1240.0) is KEYS[KID]
    other = json.dumps({"keys": [IssuingKey().jwk | {"kid": KID}]})
    held.begin(1480.0)
    held.succeed(parse_jwks(other.encode()), 300)
    assert held.find(KID, 1480.0) is not KEYS[KID]


def test_health_before_the_first_fetch() -> None:
    """Nothing is held, and nothing has failed yet."""
    health = HeldKeys(longest_outage=DAY, now=5.0).health(7.0)
    assert health == KeysHealth(usable=False, confirmed_ago=None, failing_for=None, last_error=None, key_ids=())


def test_z70_health_tells_of_an_outage() -> None:
    """How old the keys are, since when fetches fail and why the last one did; all is well after a good one."""
    held = _held(1000.0)
    assert held.health(1010.0) == KeysHealth(
        usable=True, confirmed_ago=10.0, failing_for=None, last_error=None, key_ids=(KID,)
    )
    for at, error in ((1240.0, "status 500"), (1250.0, "ConnectError")):
        held.begin(at)
        held.fail(at, error)
    assert held.health(1300.0) == KeysHealth(
        usable=True, confirmed_ago=300.0, failing_for=60.0, last_error="ConnectError", key_ids=(KID,)
    )
    assert not held.health(1000.0 + DAY).usable
    held.begin(1400.0)
    held.succeed(KEYS, 300)
    assert held.health(1400.0) == KeysHealth(
        usable=True, confirmed_ago=0.0, failing_for=None, last_error=None, key_ids=(KID,)
    )


def test_f04_unknown_key_id_makes_a_fetch_due_after_the_cooldown() -> None:
    """At once when the last attempt is 30 s ago, else as soon as it is."""
    assert _held(1000.0).miss(1000.0 + COOLDOWN)
    held = _held(1000.0)
    assert held.miss(1001.0)
    assert held.due_at == 1000.0 + COOLDOWN
    assert not held.miss(1002.0)
    assert held.due_at == 1000.0 + COOLDOWN


def test_f05_key_id_that_is_missed_during_a_fetch_is_not_forgotten() -> None:
    """The answer under way may be older than the key, so another fetch is due as soon as the cooldown is over."""
    held = _held(1000.0)
    held.begin(1240.0)
    assert not held.miss(1240.5)
    held.succeed(KEYS, 3600)
    assert held.due_at == 1240.0 + COOLDOWN
    held.begin(1240.0 + COOLDOWN)
    held.succeed(KEYS, 300)
    assert held.due_at == 1480.0 + COOLDOWN


def test_f04_cooldown_counts_failed_attempts() -> None:
    """A failed attempt starts the cooldown as a good one does."""
    held = _held(1000.0)
    held.begin(1100.0)
    held.fail(1103.0, "down")
    held.begin(1104.0)
    held.fail(1104.0, "down")
    held.succeed(KEYS, 3600)
    assert held.miss(1105.0)
    assert held.due_at == 1104.0 + COOLDOWN


@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=200))
def test_f04_flood_of_unknown_key_ids_is_one_fetch_in_thirty_seconds(pauses: list[float]) -> None:
    """Whatever the pace of unknown key IDs, attempts that they cause begin at least 30 s apart."""
    held = _held(0.0, max_age=3600)
    now = 0.0
    attempts = [now]
    for pause in pauses:
        now += pause
        if held.due_at <= now:
            held.begin(now)
            held.succeed(KEYS, 3600)
            attempts.append(now)
        held.miss(now)
    assert all(later - sooner >= COOLDOWN for sooner, later in pairwise(attempts))
