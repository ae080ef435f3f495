"""What a token request is counted for besides its answer: limits, and usage."""

from collections.abc import Callable

from sensos_auth.registry.credentials import Credential
from sensos_auth.server.asgi import Scope
from sensos_auth.server.limits import LimitSettings, RefusalLimit, application_limit
from sensos_auth.server.usage_counter import UsageCounter


class TokenMeter:
    """Counts tokens and refusals against their limits, and for ``usage`` unless it is None.

    ``clock`` returns UTC seconds.
    """

    def __init__(self, limits: LimitSettings, usage: UsageCounter | None, clock: Callable[[], int]) -> None:
        self._limit_tokens = None if limits.application is None else application_limit(limits.application)
        self._refusals = RefusalLimit(limits)
        self._usage = usage
        self._clock = clock

    def take(self, credential: Credential, now: int, lifetime: int) -> None:
        """Count a token of an application that has shown good credentials; raises Refusal when it had too many."""
        if self._limit_tokens is not None:
            self._limit_tokens(credential.application_id)
        if self._usage is not None:
            self._usage.count_token(credential, now, lifetime)

    def refuse(self, scope: Scope, application_id: str) -> Exception:
        """Count a refusal, the same way whatever its cause, and return what to raise for it."""
        if self._usage is not None:
            self._usage.count_refusal(application_id, self._clock())
        return self._refusals.refuse(scope)
