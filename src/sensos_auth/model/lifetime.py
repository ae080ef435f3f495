"""How long access tokens live, in seconds.

The page that integrators were given names both 10 hours and 1 day. Ten hours is the default, one day the ceiling that
nothing lifts: deployment, tenant and application can each choose below it, the most specific one decides.
"""

from sensos_auth.model.errors import InvalidInput

DEFAULT_LIFETIME = 36_000
LONGEST_LIFETIME = 86_400


def checked_lifetime(seconds: int) -> int:
    """Return the lifetime in seconds if it is between 1 and 86 400; raises InvalidInput otherwise."""
    if not 1 <= seconds <= LONGEST_LIFETIME:
        raise InvalidInput(f"a lifetime is a whole number of seconds from 1 to {LONGEST_LIFETIME}")
    return seconds
