"""A verifier in a process of its own: ``python -m tests.nodes.verifying_process ISSUER PORT POLICY MAX_STALENESS``.

It follows the feed at PORT, whatever port the issuer's URL names, and verifies the tokens that it is given, all of
them, again and again. On standard input come lines of JSON: ``{"add": {ID: token}}``, ``{"watch": [ID]}``. What is
watched it reports each time when it is accepted; what is not, only when it should not have been.
"""

import json
import logging
import os
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx2

from sensos_auth.verifying import InvalidToken, KeysUnavailable, RevocationsUnavailable, Verifier
from sensos_auth.verifying.connected import ConnectedVerifier
from tests.nodes.history import Policy, now
from tests.running_service import AUDIENCE

# Seconds between two rounds, tokens that are held unwatched, and watched.
_PAUSE = 0.03
_MOST_UNWATCHED = 150
_MOST_WATCHED = 1_500
# Rounds between two looks at watched tokens that were refused before.
_SELDOM = 25
# Rounds between two reports of what is watched and still accepted: a tenth of a second.
_REPORTS_EVERY = 3


def send_to(port: int, instead_of: int) -> None:
    """Have this process send to one port what is meant for another, as a route would: the URL stays the issuer's."""
    send, send_async = httpx2.HTTPTransport.handle_request, httpx2.AsyncHTTPTransport.handle_async_request

    def lead(request: httpx2.Request) -> httpx2.Request:
        if request.url.port == instead_of:
            request.url = request.url.copy_with(port=port)
        return request

    def handle(transport: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
        return send(transport, lead(request))

    async def handle_async(transport: httpx2.AsyncHTTPTransport, request: httpx2.Request) -> httpx2.Response:
        return await send_async(transport, lead(request))

    httpx2.HTTPTransport.handle_request = handle  # type: ignore[method-assign, assignment]
    httpx2.AsyncHTTPTransport.handle_async_request = handle_async  # type: ignore[method-assign, assignment]


class Tokens:
    """The tokens that are verified."""

    def __init__(self) -> None:
        self.unwatched: OrderedDict[str, str] = OrderedDict()
        self.watched: OrderedDict[str, str] = OrderedDict()
        self.refused: OrderedDict[str, str] = OrderedDict()

    def take(self, line: dict[str, Any]) -> None:
        """Do what the line says."""
        for token_id, token in line.get("add", {}).items():
            self.unwatched[token_id] = token
        for token_id in line.get("watch", []):
            if token_id in self.unwatched:
                self.watched[token_id] = self.unwatched.pop(token_id)
        for held, most in (
            (self.unwatched, _MOST_UNWATCHED),
            (self.watched, _MOST_WATCHED),
            (self.refused, _MOST_WATCHED),
        ):
            while len(held) > most:
                held.popitem(last=False)


class Rounds:
    """Verifies all tokens once in a round."""

    def __init__(self, verifier: ConnectedVerifier, policy: Policy) -> None:
        self._verifier = verifier
        self._policy = policy
        self.tokens = Tokens()
        self.counts = Counter({"accepted": 0, "refused": 0})
        self._number = 0

    def once(self) -> None:
        """Verify them, and report."""
        tokens = self.tokens
        self._number += 1
        seldom = tokens.refused if self._number % _SELDOM == 0 else OrderedDict()
        before = self._confirmed_at()
        watched = self._accepted(tokens.watched)
        accepted = self._accepted(seldom)
        if self._number % _REPORTS_EVERY == 0:
            accepted += watched
        for token_id, at in self._accepted(tokens.unwatched):
            if self._policy.refuses and at - before > self._policy.max_staleness:
                accepted.append((token_id, at))
        if accepted:
            report({"accepted": accepted, "before": before, "after": self._confirmed_at()})

    def _accepted(self, held: OrderedDict[str, str]) -> list[tuple[str, float]]:
        accepted = []
        for token_id, token in list(held.items()):
            at = now()
            try:
                self._verifier.verify(token)
            except InvalidToken as error:
                self.counts["unknown key" if error.reason == "unknown key ID" else "refused"] += 1
                if held is self.tokens.watched:
                    self.tokens.refused[token_id] = held.pop(token_id)
            except (KeysUnavailable, RevocationsUnavailable):
                self.counts["unavailable"] += 1
            else:
                self.counts["accepted"] += 1
                accepted.append((token_id, at))
        return accepted

    def _confirmed_at(self) -> float:
        revocations = self._verifier.health().revocations
        ago = None if revocations is None else revocations.confirmed_ago
        return float("-inf") if ago is None else now() - ago


def verify_for_ever(rounds: Rounds) -> None:
    """Verify until standard input ends."""
    descriptor = sys.stdin.fileno()
    os.set_blocking(descriptor, False)
    rest = b""
    while True:
        time.sleep(_PAUSE)
        with suppress(BlockingIOError):
            data = os.read(descriptor, 1 << 20)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                rounds.tokens.take(json.loads(line))
        rounds.once()


def report(document: Mapping[str, object]) -> None:
    """Print a line of JSON."""
    sys.stdout.write(f"{json.dumps(document)}\n")
    sys.stdout.flush()


def main() -> None:
    """Run what the command line says."""
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    issuer, port, when_stale, max_staleness = sys.argv[1:5]
    send_to(int(port), urlsplit(issuer).port or 80)
    policy = Policy(refuses=when_stale == "refuse", max_staleness=float(max_staleness))
    verifier = Verifier.connect(
        issuer,
        audience=AUDIENCE,
        max_staleness=policy.max_staleness,
        when_stale="refuse" if policy.refuses else "accept",
    )
    for _ in range(10):
        with suppress(KeysUnavailable, RevocationsUnavailable):
            verifier.wait_until_ready(5)
            break
    report({"ready": True})
    rounds = Rounds(verifier, policy)
    verify_for_ever(rounds)
    report({"counts": rounds.counts})
    verifier.close()


if __name__ == "__main__":
    main()
