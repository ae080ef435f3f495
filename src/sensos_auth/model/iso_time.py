"""Times as they are written: UTC, ISO 8601, whole seconds and ``Z``, such as ``2026-11-25T09:00:00Z``."""

from datetime import UTC, datetime

_FORM = "%Y-%m-%dT%H:%M:%SZ"
_LENGTH = len("2026-11-25T09:00:00Z")


def iso_time(at: int) -> str:
    """Return the time, given in UTC seconds since the epoch, as it is written."""
    return datetime.fromtimestamp(at, UTC).strftime(_FORM)


def seconds_of(written: str) -> int:
    """Return the time in UTC seconds since the epoch; raises ValueError for what is written in another way."""
    if len(written) != _LENGTH or not written.isascii():
        raise ValueError("not the length of a time")
    return int(datetime.strptime(written, _FORM).replace(tzinfo=UTC).timestamp())
