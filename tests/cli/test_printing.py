import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensos_auth.cli.printing import from_now, in_words, iso_time


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (86_399, "23 hours"),
        (86_400, "1 day"),
        (40 * 86_400, "40 days"),
    ],
)
def test_a_time_span_is_told_by_its_largest_unit(seconds: int, words: str) -> None:
    """Whole units, rounded down, in the singular where it is one."""
    assert in_words(seconds) == words


def test_times_are_utc_with_z() -> None:
    """ISO 8601, whatever the machine's time zone."""
    assert iso_time(1_000_000_000) == "2001-09-09T01:46:40Z"
    assert iso_time(None) is None


@given(at=st.integers(0, 1 << 37), now=st.integers(0, 1 << 37))
def test_the_distance_from_now_points_the_right_way(at: int, now: int) -> None:
    """What is ahead is "in", what is not is "ago"."""
    text = from_now(at, now)
    assert text.startswith(str(iso_time(at)))
    assert text.endswith(" ago)") is (at <= now)
    assert ("(in " in text) is (at > now)
