"""How long to wait before the next attempt: exponential backoff with full jitter, and what ``Retry-After`` asks for."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER = 300.0
_FIRST = 0.5
_MOST_DOUBLINGS = 10


def backoff(failures: int, longest: float, random: float) -> float:
    """Return the seconds to wait after so many failures in a row (1, 2, …); ``random`` is from 0 to 1."""
    return random * min(longest, _FIRST * 2.0 ** min(failures, _MOST_DOUBLINGS))


def retry_after_seconds(header: str | None, wall_now: datetime) -> float:
    """Return the seconds that ``Retry-After`` asks for (RFC 9110 section 10.2.3), 300 at most; 0 without a good one."""
    if header is None:
        return 0.0
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:10]), LONGEST_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return min(max((at - wall_now).total_seconds(), 0.0), LONGEST_RETRY_AFTER)
