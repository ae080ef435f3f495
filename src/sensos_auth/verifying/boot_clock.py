"""The clock by which a verifier tells how old a thing is: nobody sets it, and it goes on while the machine sleeps."""

import time

# On macOS CLOCK_MONOTONIC counts sleep; on Linux only CLOCK_BOOTTIME does.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def seconds_since_boot() -> float:
    """Return the seconds since some instant of the past."""
    return time.clock_gettime(_CLOCK)
