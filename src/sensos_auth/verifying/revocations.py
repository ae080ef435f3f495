"""What a verifier needs to know of revocations, wherever they come from."""

from typing import Protocol

from sensos_auth.model.revocation import Provenance


class Revocations(Protocol):
    """What has been revoked, held in memory. Any number of threads ask at once."""

    def generation(self) -> int:
        """Return a number that changes with every revocation that is heard of, in a fraction of a microsecond.

        Who asked :meth:`voids` at the same generation need not ask again. Raises RevocationsUnavailable when what is
        held is too old to go by.
        """

    def voids(self, token: Provenance) -> bool:
        """Tell whether the token is void, by what has been heard so far."""
