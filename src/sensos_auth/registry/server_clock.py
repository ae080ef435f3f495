"""Whether this machine's clock is right, as far as the database's tells: who changes the registry dates the change.

A revocation that is dated a day ago has ended already, and a signing key that begins in an hour signs nothing now.
"""

from typing import Final

from sensos_auth.model.errors import RegistryUnavailable

# Seconds. A node whose clock differs by more is not ready either (server/registry_follower.py).
MOST_DIFFERENCE: Final = 5.0


def check_clock(asked_at: float, server_time: float, answered_at: float) -> None:
    """Raise RegistryUnavailable unless the server's time lies between the two, or nearly. All are in UTC seconds."""
    difference = max(asked_at - server_time, server_time - answered_at)
    if difference > MOST_DIFFERENCE:
        raise RegistryUnavailable(
            f"the clocks of this machine and of the database differ by {difference:.0f} s: set them (NTP)"
        )
