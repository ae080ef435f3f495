"""Which requests to the API are repeated, when, and how often: without any I/O, for both kinds of client."""

from collections.abc import Generator

import httpx2

from sensos_auth.client.api_answers import Outcome
from sensos_auth.client.backoff import backoff, retry_after_seconds
from sensos_auth.client.surroundings import Surroundings

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})  # RFC 9110 section 9.2.2
_PASSING = frozenset({408, 429, 502, 503, 504})
_ATTEMPTS = 5
_LONGEST_PAUSE = 10.0

Attempts = Generator[float | None, Outcome | None, Outcome]


def attempts(method: str, patience: float, surroundings: Surroundings) -> Attempts:
    """Say step by step what to do: None means to send the request and to send in its outcome, a number to sleep.

    Returns the outcome that counts. Only idempotent requests are repeated: after connection errors, 408, 429, 502, 503
    and 504, five attempts in all, and no pause that would end after ``patience`` seconds.
    """
    give_up_at = surroundings.clock() + patience
    failures = 0
    while True:
        outcome = yield None
        assert outcome is not None
        failures += 1
        pause = _pause(outcome, failures, surroundings)
        is_over = failures == _ATTEMPTS or pause is None or surroundings.clock() + pause >= give_up_at
        if is_over or method not in IDEMPOTENT:
            return outcome
        yield pause


def _pause(outcome: Outcome, failures: int, surroundings: Surroundings) -> float | None:
    if isinstance(outcome, httpx2.Response) and outcome.status_code not in _PASSING:
        return None
    header = outcome.headers.get("retry-after") if isinstance(outcome, httpx2.Response) else None
    asked = retry_after_seconds(header, surroundings.wall_now())
    return asked + backoff(failures, _LONGEST_PAUSE, surroundings.random())
