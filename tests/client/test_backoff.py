"""Pauses before the next attempt."""

from datetime import UTC, datetime

import pytest

from sensos_auth.client.backoff import backoff, retry_after_seconds

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def test_pauses_double_up_to_a_limit() -> None:
    """From one second on, and no overflow however long an outage lasts."""
    assert [backoff(failures, 10.0, 1.0) for failures in (1, 2, 3, 4, 5, 10**9)] == [1, 2, 4, 8, 10, 10]
    assert backoff(3, 10.0, 0.25) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("301", 300),
        ("9" * 1000, 300),
        ("-5", 0),
        ("1.5", 0),
        ("\u0664", 0),
        ("soon", 0),
        ("Wed, 25 Nov 2026 12:00:09 GMT", 9),
        ("Wed, 25 Nov 2026 11:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300),
        ("Wed, 25 Nov 2026 12:00:09 -0000", 9),
        ("Wed, 25 Nov 2026 12:00:09 +9999999999999", 0),
    ],
)
def test_retry_after(header: str | None, seconds: float) -> None:
    """Seconds or a date (RFC 9110 section 10.2.3); nonsense counts as none, and no more than 300 s are believed."""
    assert retry_after_seconds(header, NOW) == seconds
