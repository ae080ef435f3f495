"""The probe that takes several requests: a token is accepted, revoked, and must be refused soon."""

import secrets
import time
from dataclasses import dataclass
from typing import ClassVar

from sensos_auth.probing.exchange import Answer, Send
from sensos_auth.probing.faults import REVOKED
from sensos_auth.probing.means import NEEDS_REGISTRY, Means
from sensos_auth.probing.probe import Group, NotRun
from sensos_auth.probing.report import Observation, excerpt_of, outcome_of

PATIENCE = 2.0  # seconds: twice what is promised
_PAUSE = 0.05  # seconds between two requests
_UNAUTHORIZED = 401


@dataclass(frozen=True)
class RevocationProbe:
    """Revokes a token of its own, never the good token that was handed in."""

    NAME: ClassVar[str] = "a token that was revoked"

    means: Means
    send: Send

    def run(self) -> float | NotRun | Observation:
        """Return after how many seconds the revoked token was refused, or what was found instead."""
        registry = self.means.registry
        if registry is None:
            return self._not_run(NEEDS_REGISTRY)
        token_id, expires_at = secrets.token_urlsafe(16), self.means.now + 600
        claims = self.means.fresh_claims({"jti": token_id, "exp": expires_at})
        text = self.means.issuer_signed(registry, {}, claims)
        request = self.means.endpoint.bearer(text)
        before = self.send(request)
        if not (isinstance(before, Answer) and before.is_success):
            return self._not_run(f"the token was not accepted before it was revoked ({outcome_of(before)})")
        registry.revoke(token_id, expires_at)
        revoked_at = time.monotonic()
        while True:
            answer = self.send(request)
            passed = time.monotonic() - revoked_at
            if isinstance(answer, Answer) and answer.status == _UNAUTHORIZED:
                return passed
            if passed > PATIENCE:
                outcome = f"{outcome_of(answer)} {passed:.1f} s after the revocation"
                excerpt = excerpt_of(answer, (text,))
                return Observation(REVOKED, Group.REVOCATION, self.NAME, outcome, excerpt)
            time.sleep(_PAUSE)

    def _not_run(self, reason: str) -> NotRun:
        return NotRun(Group.REVOCATION, self.NAME, reason)
