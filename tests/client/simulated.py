"""A world whose clock is moved by hand, around the real token source: no thread, no socket, no waiting."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sensos_auth.client import Credentials, TokenSource
from sensos_auth.client.sending import TokenRequest
from sensos_auth.client.surroundings import Surroundings
from sensos_auth.client.token_answer import Answer, NoAnswer

BASE_URL = "https://api.example.com"
SECRET = "sensos_sk_0000000000000000000000000000000000000000000AAAAAA"
_EPOCH = datetime(2026, 11, 25, tzinfo=UTC)

Reply = Callable[[TokenRequest], Answer]


def token_answer(number: int, lifetime: object) -> Answer:
    """Return the answer that brings token number so and so."""
    return Answer(200, json.dumps({"accessToken": f"token-{number}", "expiresIn": lifetime}).encode())


@dataclass
class World:
    """The time, what the token service answers, and when it was asked. ``chance`` is what random returns."""

    now: float = 1000.0
    lifetime: int = 36_000
    round_trip: float = 0.0
    chance: float = 0.0
    reply: Reply | None = None
    asked_at: list[float] = field(default_factory=list)
    requests: list[TokenRequest] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def send(self, request: TokenRequest, seconds: float) -> Answer:
        """Answer a request, with the next token unless the test says otherwise."""
        self.asked_at.append(self.now)
        self.requests.append(request)
        self.now += min(self.round_trip, seconds)
        if self.round_trip >= seconds:
            raise NoAnswer("no whole answer in time")
        return token_answer(len(self.asked_at), self.lifetime) if self.reply is None else self.reply(request)

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.slept.append(seconds)
        self.now += seconds

    def surroundings(self) -> Surroundings:
        """Return this world as a token source sees it. A renewal runs at once, in its caller."""
        return Surroundings(
            clock=lambda: self.now,
            random=lambda: self.chance,
            sleep=self.sleep,
            wall_now=lambda: _EPOCH + timedelta(seconds=self.now),
            start=lambda work: work(),
            send=self.send,
        )

    def source(self, credentials: Credentials | None = None, patience: float = 30.0) -> TokenSource:
        """Return a token source in this world."""
        return TokenSource(
            credentials or Credentials("ten_a", "app_a", SECRET),
            BASE_URL,
            patience=patience,
            surroundings=self.surroundings(),
        )

    def fail(self, status: int = 503, **headers: str) -> None:
        """Let the token service answer with this status from now on; ``retry_after`` is the header."""
        self.reply = lambda _: Answer(status, b"{}", headers.get("retry_after"))

    def recover(self) -> None:
        """Let the token service answer with tokens again."""
        self.reply = None
