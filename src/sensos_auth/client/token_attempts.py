"""One attempt to get a token: the secret as it is now, the request, and what became of it.

A secret that was refused (401) is asked for once more, because it may have been rotated just now. If it has not
changed, the refusal is final, and for a while nobody sends the same secret again.
"""

import hashlib
from dataclasses import dataclass

from sensos_auth.client.credentials import Credentials
from sensos_auth.client.sending import TokenRequest
from sensos_auth.client.surroundings import Surroundings
from sensos_auth.client.token_answer import TOKEN_PATH, Failed, Issued, NoAnswer, judge
from sensos_auth.model.errors import ConfigurationError

REFUSAL_HOLDS = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Received:
    """A token, and the times of its request by the source's clock."""

    issued: Issued
    asked_at: float
    answered_at: float


class TokenAttempts:
    """Makes attempts, one at a time."""

    def __init__(self, credentials: Credentials, base_url: str, surroundings: Surroundings) -> None:
        self._credentials = credentials
        self._url = base_url + TOKEN_PATH
        self._surroundings = surroundings
        self._refused: tuple[bytes, float] | None = None  # digest of the secret, and until when nobody sends it again

    def attempt(self, seconds: float) -> Received | Failed:
        """Make one, with so many seconds for a request."""
        try:
            secret = self._credentials.current_secret()
            if self._is_refused(secret):
                return self._refusal(secret)
            outcome = self._ask(secret, seconds)
            if _is_refusal(outcome):
                before, secret = secret, self._credentials.current_secret()
                outcome = outcome if secret == before else self._ask(secret, seconds)
        except ConfigurationError as error:
            return Failed(str(error), is_final=True, is_setting=True)
        except Exception as error:  # noqa: BLE001 - a vault's, whose text may hold anything
            return Failed(f"the secret could not be obtained ({type(error).__name__})")
        if _is_refusal(outcome):
            self._refused = (_digest(secret), self._surroundings.clock() + REFUSAL_HOLDS)
            return self._refusal(secret)
        return outcome

    def _ask(self, secret: str, seconds: float) -> Received | Failed:
        request = TokenRequest(self._url, self._credentials.tenant_id, self._credentials.application_id, secret)
        asked_at = self._surroundings.clock()
        try:
            answer = self._surroundings.send(request, seconds)
        except NoAnswer as nothing:
            return Failed(str(nothing), is_final=nothing.is_final)
        except Exception as error:  # noqa: BLE001 - a defect or a strange proxy: the next attempt may do better
            return Failed(type(error).__name__)
        answered_at = self._surroundings.clock()
        outcome = judge(answer)
        return outcome if isinstance(outcome, Failed) else Received(outcome, asked_at, answered_at)

    def _is_refused(self, secret: str) -> bool:
        if self._refused is None:
            return False
        digest, until = self._refused
        return digest == _digest(secret) and self._surroundings.clock() < until

    def _refusal(self, secret: str) -> Failed:
        return Failed(self._credentials.where_to_look(secret), is_final=True, is_refusal=True)


def _is_refusal(outcome: Received | Failed) -> bool:
    return isinstance(outcome, Failed) and outcome.is_refusal


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
