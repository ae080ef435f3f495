"""What a token request is counted for besides its answer: limits, and usage."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sensos_auth.registry.credentials import Credential
from sensos_auth.server.asgi import Scope
from sensos_auth.server.limits import ApplicationLimit, LimitSettings, RefusalLimit
from sensos_auth.server.usage_counter import UsageCounter

if TYPE_CHECKING:
    from sensos_auth.server.limits_sharing import LimitsSharing


class TokenMeter:
    """Counts tokens and refusals against their limits, and for ``usage`` unless it is None.

    ``clock`` returns UTC seconds.
    """

    def __init__(self, limits: LimitSettings, usage: UsageCounter | None, clock: Callable[[], int]) -> None:
        self._tokens = None if limits.application is None else ApplicationLimit(limits.application)
        self._refusals = RefusalLimit(limits)
        self._server = limits.server
        self._usage = usage
        self._clock = clock

    def take(self, credential: Credential, now: int, lifetime: int) -> None:
        """Count a token of an application that has shown good credentials; raises Refusal when it had too many."""
        if self._tokens is not None:
            self._tokens.take(credential.application_id)
        if self._usage is not None:
            self._usage.count_token(credential, now, lifetime)

    def refuse(self, scope: Scope, application_id: str) -> Exception:
        """Count a refusal, the same way whatever its cause, and return what to raise for it."""
        if self._usage is not None:
            self._usage.count_refusal(application_id, self._clock())
        return self._refusals.refuse(scope)

    def sharing(self, issuer: str) -> "LimitsSharing | None":
        """Return what shares the limits with other workers of the issuer, to be started; None where nothing does."""
        if self._server is None:
            return None
        from sensos_auth.server.limits_sharing import LimitsSharing  # noqa: PLC0415 - needs redis, which is extra

        both = {"application": self._tokens, "address": self._refusals}
        buckets = {name: limit.buckets for name, limit in both.items() if limit is not None}
        return LimitsSharing(self._server, issuer, {name: each for name, each in buckets.items() if each is not None})
