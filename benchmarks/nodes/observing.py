"""Somebody who asks the same thing again and again, in a thread, and writes down what came."""

import http.client
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from threading import Event, Thread

from sensos_auth.verifying import ConnectedVerifier, InvalidToken, KeysUnavailable, RevocationsUnavailable

_LONGEST_WAIT = 10.0  # seconds: what takes longer counts as a hang


@dataclass(frozen=True)
class Answer:
    """What came: an HTTP status, ``accepted``, ``refused`` or ``unavailable`` of a verifier, or how it failed."""

    began: float
    ended: float
    what: str


@dataclass
class Observer:
    """``who`` asks something every ``pause`` seconds by calling ``ask``; ``good`` is what comes when all is well."""

    who: str
    good: str
    pause: float
    ask: Callable[[], str]
    answers: list[Answer] = field(default_factory=list)

    def observe(self, ended: Event) -> None:
        """Ask until the end."""
        while not ended.wait(self.pause):
            began = time.monotonic()
            what = self.ask()
            self.answers.append(Answer(began, time.monotonic(), what))


@contextmanager
def observing(observers: Iterable[Observer]) -> Iterator[None]:
    """Have all of them ask until the end of the block."""
    ended = Event()
    threads = [Thread(target=observer.observe, args=(ended,), daemon=True) for observer in observers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(_LONGEST_WAIT + 1)


class Asking:
    """Sends one kind of request to one node, over a connection that is kept. ``body`` is that of the last answer."""

    def __init__(
        self,
        port: int,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        bodies: list[str] | None = None,
    ) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LONGEST_WAIT)
        self._request = method, path
        self._headers = dict(headers or {}) | ({"Content-Type": "application/json"} if bodies else {})
        self._bodies = cycle(bodies or [""])
        self.body = b""

    def __call__(self) -> str:
        """Ask once, with the next body, and return the status, or how it failed."""
        try:
            self._connection.request(*self._request, next(self._bodies) or None, self._headers)
            answer = self._connection.getresponse()
            self.body = answer.read()
        except TimeoutError:
            self._connection.close()
            return "hang"
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return "broken"
        if answer.status == 503 and answer.headers["Retry-After"] is None:
            return "503 without Retry-After"
        return str(answer.status)


def verdict_on(verifier: ConnectedVerifier, token: str) -> Callable[[], str]:
    """Return what asks the verifier for the token."""

    def ask() -> str:
        try:
            verifier.verify(token)
        except InvalidToken:
            return "refused"
        except (KeysUnavailable, RevocationsUnavailable):
            return "unavailable"
        return "accepted"

    return ask


def following_of(verifier: ConnectedVerifier) -> Callable[[], str]:
    """Return what tells whether the verifier's last poll of the feed was answered."""

    def ask() -> str:
        revocations = verifier.health().revocations
        return "yes" if revocations is not None and revocations.last_error is None else "no"

    return ask
