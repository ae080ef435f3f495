import pytest

from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.lifetime import DEFAULT_LIFETIME, LONGEST_LIFETIME, checked_lifetime


def test_default_is_ten_hours_and_ceiling_one_day() -> None:
    """The two figures that the integrators' page names."""
    assert (DEFAULT_LIFETIME, LONGEST_LIFETIME) == (36_000, 86_400)


@pytest.mark.parametrize("seconds", [1, 36_000, 86_400])
def test_lifetime_within_the_ceiling_is_returned(seconds: int) -> None:
    """From one second to one day."""
    assert checked_lifetime(seconds) == seconds


@pytest.mark.parametrize("seconds", [-1, 0, 86_401, 2**63])
def test_other_lifetime_is_refused(seconds: int) -> None:
    """Nothing lifts the ceiling."""
    with pytest.raises(InvalidInput, match="1 to 86400"):
        checked_lifetime(seconds)
