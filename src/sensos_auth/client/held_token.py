"""A token that is held: until when it is fresh, stale, and of no more use.

Times are seconds of one clock that never goes back and goes on while the machine sleeps. The rules, all here:

* a token ends ``expiresIn`` after it was issued, or up to a second sooner: its ``exp`` is in whole seconds (RFC 7519
  section 2). That second is taken off its lifetime, or a third of it where there are less than three;
* it was issued in the middle of its request's round trip;
* it is stale from three quarters of its lifetime on, or earlier by chance, never later: a stale token serves while the
  next one is fetched in the background;
* how much earlier: a token that was fetched because somebody waited for it may have been fetched by a whole fleet in
  one second (a start, an outage, a revocation), so its successor is spread over everything from a tenth of the lifetime
  on. One that was fetched in time belongs to a fleet that is spread already, and a tenth of that time keeps it so;
* in the last tenth, at most 300 s, callers wait for its successor.
"""

from dataclasses import dataclass, field
from enum import Enum

STALE_FROM = 0.75
_EARLIEST = 0.1
_KEPT_SPREAD = STALE_FROM / 10
_LONGEST_RESERVE = 300.0
_RESERVE = 0.1
_ROUNDING = 1.0  # seconds


class TokenState(Enum):
    """What a caller who asks for the token now gets."""

    FRESH = "fresh"  # the token
    STALE = "stale"  # the token, while the next one is fetched
    INVALID = "invalid"  # the next token, once it is there


@dataclass(frozen=True, slots=True, eq=False)
class HeldToken:
    """An access token with its times. Its representation shows no part of the token, and it can't be pickled."""

    token: str = field(repr=False)
    authorization: str = field(repr=False)  # the header's whole value
    issued_at: float
    stale_at: float
    invalid_at: float
    expires_at: float

    def state(self, now: float) -> TokenState:
        """Return what the token is at ``now``."""
        if now < self.stale_at:
            return TokenState.FRESH
        return TokenState.STALE if now < self.invalid_at else TokenState.INVALID

    def is_usable(self, now: float) -> bool:
        """Tell whether the API accepts it still, as far as time goes."""
        return now < self.expires_at

    def spread_again(self, now: float, random: float) -> "HeldToken":
        """Return the token as one of many copies, as after a fork, that must not be renewed at one instant."""
        latest = self.issued_at + STALE_FROM * (self.expires_at - self.issued_at)
        stale_at = self.stale_at if latest <= now else now + random * (latest - now)
        return HeldToken(self.token, self.authorization, self.issued_at, stale_at, self.invalid_at, self.expires_at)

    def __reduce__(self) -> str:
        raise TypeError("a token is not pickled: it is a password for as long as it lives")


NO_TOKEN = HeldToken("", "", float("-inf"), float("-inf"), float("-inf"), float("-inf"))


def hold(
    token: str, *, lifetime: float, asked_at: float, answered_at: float, in_time: bool, random: float
) -> HeldToken:
    """Return the token as it is held.

    ``lifetime`` is its ``expiresIn`` in seconds; ``in_time`` tells that nobody waited for it; ``random`` is 0 to 1.
    """
    issued_at = answered_at - (answered_at - asked_at) / 2
    lifetime -= min(_ROUNDING, lifetime / 3)
    spread = _KEPT_SPREAD if in_time else STALE_FROM - _EARLIEST
    return HeldToken(
        token=token,
        authorization=f"Bearer {token}",
        issued_at=issued_at,
        stale_at=issued_at + lifetime * (STALE_FROM - spread * random),
        invalid_at=issued_at + lifetime - min(_LONGEST_RESERVE, _RESERVE * lifetime),
        expires_at=issued_at + lifetime,
    )
