"""A verifier that knows its issuer by URL, and keeps in touch with it by itself."""

import asyncio
import time
from dataclasses import dataclass

from sensos_auth.verifying.feed_standing import RevocationsHealth
from sensos_auth.verifying.held_keys import KeysHealth
from sensos_auth.verifying.remote_jwks import RemoteJwks
from sensos_auth.verifying.remote_revocations import RemoteRevocations
from sensos_auth.verifying.verifier import Verifier


@dataclass(frozen=True, slots=True)
class VerifierHealth:
    """How it stands with what a verifier needs from its issuer; ``revocations`` is None if it does not follow them."""

    keys: KeysHealth
    revocations: RevocationsHealth | None


class ConnectedVerifier(Verifier):
    """What :meth:`Verifier.connect` returns: a verifier with its own keys and revocations, to wait for and to close."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: RemoteJwks,
        revocations: RemoteRevocations | None,
        remembered_verdicts: int,
    ) -> None:
        super().__init__(
            issuer=issuer,
            audience=audience,
            keys=keys,
            revocations=revocations,
            remembered_verdicts=remembered_verdicts,
        )
        self._remote_keys = keys
        self._remote_revocations = revocations

    def wait_until_ready(self, timeout: float = 10.0) -> None:
        """Return as soon as keys and revocations are here, so that the first request need not be refused.

        Call it when the service starts. Raises KeysUnavailable and RevocationsUnavailable after ``timeout`` seconds.
        """
        give_up_at = time.monotonic() + timeout
        self._remote_keys.wait_until_ready(timeout)
        if self._remote_revocations is not None:
            self._remote_revocations.wait_until_ready(max(0.0, give_up_at - time.monotonic()))

    async def ready(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - as wait_until_ready
        """Do what :meth:`wait_until_ready` does without blocking the event loop."""
        await asyncio.to_thread(self.wait_until_ready, timeout)

    def health(self) -> VerifierHealth:
        """Return how it stands, for a health endpoint or a metric."""
        revocations = self._remote_revocations
        return VerifierHealth(self._remote_keys.health(), None if revocations is None else revocations.health())

    def close(self) -> None:
        """End the background threads. The verifier goes on with what it knows."""
        self._remote_keys.close()
        if self._remote_revocations is not None:
            self._remote_revocations.close()
