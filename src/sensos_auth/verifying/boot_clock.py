"""The clock by which a verifier tells how old a thing is: nobody sets it, and it goes on while the machine sleeps.

``seconds_since_boot()`` returns the seconds since some instant of the past.
"""

import time
from collections.abc import Callable
from functools import partial

# On macOS CLOCK_MONOTONIC counts sleep; on Linux only CLOCK_BOOTTIME does.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

# Not a function of ours: it is called for every request, and Python's own call would take twice the time of the clock.
seconds_since_boot: Callable[[], float] = partial(time.clock_gettime, _CLOCK)
