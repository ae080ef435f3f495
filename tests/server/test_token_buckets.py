import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.server.token_buckets import Limit, TokenBuckets, limit_of

_SECOND = 1_000_000_000
_limits = st.builds(Limit, st.integers(1, 1000), st.sampled_from([1, 60, 3600]), st.integers(1, 50))
_pauses = st.lists(st.one_of(st.just(0), st.integers(0, 10 * _SECOND)), min_size=1, max_size=200)


class Clock:
    """Nanoseconds that pass when they are told to."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 123_456_789

    def __call__(self) -> int:
        """Return the nanoseconds so far."""
        return self.now


@given(_limits, _pauses)
def test_bucket_never_gives_more_than_the_limit_nor_less(limit: Limit, pauses: list[int]) -> None:
    """It gives exactly what a bucket gives that is refilled in fractions without end, whatever the times are."""
    clock = Clock()
    buckets = TokenBuckets(limit, clock=clock)
    each = limit.seconds * _SECOND  # of a token, in parts of which limit.count make a nanosecond
    model = limit.burst * each
    for pause in pauses:
        clock.now += pause
        model = min(limit.burst * each, model + pause * limit.count)
        is_there = model >= each
        model -= each if is_there else 0
        assert (buckets.take("a") == 0) == is_there


@given(_limits, _pauses)
def test_who_waits_as_long_as_he_is_told_gets_one(limit: Limit, pauses: list[int]) -> None:
    """And was not told to wait a second too long."""
    clock = Clock()
    buckets = TokenBuckets(limit, clock=clock)
    for pause in pauses:
        clock.now += pause
        wait = buckets.take("a")
        if wait:
            assert buckets.take("a") == wait  # asking costs nothing
            clock.now += (wait - 1) * _SECOND
            assert wait == 1 or buckets.take("a") == 1
            clock.now += _SECOND
            assert buckets.take("a") == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, _SECOND)), max_size=100))
def test_one_key_never_takes_from_another(takes: list[tuple[int, int]]) -> None:
    """Each has what it would have alone."""
    limit, clock = Limit(2, 1, 3), Clock()
    together = TokenBuckets(limit, clock=clock)
    alone = {key: TokenBuckets(limit, clock=clock) for key in range(6)}
    for key, pause in takes:
        clock.now += pause
        assert together.take(key) == alone[key].take(key)


def test_p08_memory_is_bounded_and_who_took_longest_ago_is_forgotten() -> None:
    """As many keys as somebody can think of: the ones in use stay."""
    clock = Clock()
    buckets = TokenBuckets(Limit(1, 3600, 20), most=10, clock=clock)
    taken = 0
    for name in range(200):
        clock.now += 1
        assert buckets.take(name) == 0
        if name % 4 == 0:
            taken += 1
            assert (buckets.take("busy") == 0) == (taken <= 20)
        assert len(buckets) <= 10
    assert [buckets.take(name) for name in (195, 196, 197, 198, 199, 0)] == [0] * 6
    for name in range(1000, 1011):
        assert buckets.take(name) == 0
    assert buckets.take("busy") == 0  # forgotten: full again


@pytest.mark.parametrize(
    ("written", "limit"),
    [
        ("20/s", Limit(20, 1, 20)),
        ("600/m", Limit(600, 60, 600)),
        ("10/s burst 100", Limit(10, 1, 100)),
        ("5/h burst 1", Limit(5, 3600, 1)),
        ("off", None),
    ],
)
def test_how_limits_are_written(written: str, limit: Limit | None) -> None:
    """A number in a period, and a burst."""
    assert limit_of("X", written) == limit
    assert limit is None or limit_of("X", str(limit)) == limit


def test_refill_time_is_rounded_up() -> None:
    """It is what clients are told as the window."""
    assert [Limit(3, 1, burst).refill_seconds for burst in (1, 3, 4)] == [1, 1, 2]


@pytest.mark.parametrize(
    "written", ["", "20", "0/s", "20/d", "20/s burst", "20/s burst 0", "-1/s", "1e3/s", "20/s,burst=3", "OFF", "2 0/s"]
)
def test_other_limits_are_refused_by_the_name_of_the_setting(written: str) -> None:
    """Saying how they are written."""
    with pytest.raises(ConfigurationError, match="SENSOS_X must be such as 20/s"):
        limit_of("SENSOS_X", written)


def test_clock_of_the_machine_is_used_by_default() -> None:
    """A burst, then nothing for a while."""
    buckets = TokenBuckets(Limit(1, 3600, 2))
    assert list(itertools.starmap(buckets.take, [("a",)] * 3)) == [0, 0, 3600]


def test_bucket_that_is_put_off_further_than_it_is_deep_is_not_forgotten_before() -> None:
    """Others took from it as well; and it is full then."""
    clock = Clock()
    buckets = TokenBuckets(Limit(1, 1, 2), clock=clock)
    buckets.put_off("a", buckets.now() + 10 * _SECOND)
    for name in range(8):
        clock.now += _SECOND
        assert buckets.take(name) == 0
    assert buckets.take("a") == 1
    clock.now += _SECOND
    assert [buckets.take("a") for _ in range(2)] == [0, 1]


@given(st.lists(st.integers(-5, 5), max_size=20))
def test_putting_off_gives_nothing_back(moments: list[int]) -> None:
    """The latest moment holds."""
    buckets = TokenBuckets(Limit(1, 1, 20), clock=Clock())
    start = buckets.now()
    latest = 0
    for moment in moments:
        buckets.put_off("a", start + moment * _SECOND)
        latest = max(latest, start + moment * _SECOND)
        assert buckets.full_at("a") == latest


def test_p08_putting_off_keeps_memory_bounded() -> None:
    """As taking does."""
    buckets = TokenBuckets(Limit(1, 3600, 20), most=10, clock=Clock())
    for name in range(1000):
        buckets.put_off(name, buckets.now() + _SECOND)
        assert len(buckets) <= 10
