"""The following of a revocation feed: when to ask, how, and what to do with the answer.

A poll waits at the server for news, for ten seconds at most, so that a revocation arrives in a moment. What the state
holds is told by asking for what comes after it.
"""

import asyncio
import contextlib
import os
import random
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from sensos_auth.model.errors import SensosAuthError
from sensos_auth.model.revocation_page import FEED_PATH, SIGNATURE_HEADER, RevocationPage
from sensos_auth.verifying.feed_page import PageRefused, read_page
from sensos_auth.verifying.feed_standing import FeedStanding
from sensos_auth.verifying.kept_revocations import KeptRevocations
from sensos_auth.verifying.keys import VerificationKeys
from sensos_auth.verifying.own_token import OwnToken, VerifierCredentials
from sensos_auth.verifying.remote_jwks import RemoteJwks
from sensos_auth.verifying.revocation_state import RevocationState

if TYPE_CHECKING:
    from sensos_auth.verifying.feed_connection import Answer, FeedConnection

WhenStale = Literal["accept", "refuse"]

LONGEST_WAIT = 10  # seconds that a poll is held while there is no news
_ANSWERED_WITHIN = 3.0  # seconds beyond that; then the connection counts as dead
_PACE = 1.0  # seconds from one poll to the next, where the first was answered early and without news
_PACE_OF_NEWS = 0.05  # seconds; what is revoked one by one in a row comes together
# Seconds after a failure, and the next, …; less by chance, down to half. A restart or a failover is over before they
# grow: what is revoked just after it is heard of within a second.
_PAUSES = (0.5, *(1.0,) * 90, 2.0)
_FORGET_EVERY = 600.0  # seconds
_MOST_KEY_IDS = 20  # that a poll may name
_OK = 200
_NOT_TAKEN = frozenset((401, 403))


@dataclass(frozen=True, slots=True)
class Feed:
    """Which feed is followed, and how. ``wait`` is the seconds that a poll is held; ``keys`` are those of the feed.

    ``made_in`` is the ID of the process that chose the ``name``: those that are forked off it add their own to it.
    """

    issuer: str
    wait: int
    keys: VerificationKeys
    token_keys: RemoteJwks | None
    credentials: VerifierCredentials | None
    name: str | None
    made_in: int
    when_stale: WhenStale


class FeedFollower:
    """Follows a feed in one event loop, and brings ``state`` and ``standing`` up to date.

    ``tell`` is called after every page that completes the state, and after every poll that failed. ``caught_up``
    tells that the state was complete once, ``counted_as`` the name under which the issuer counts this verifier.
    ``clock`` counts seconds and goes on while the machine sleeps, ``now`` returns UTC seconds.
    """

    def __init__(
        self,
        feed: Feed,
        state: RevocationState,
        standing: FeedStanding,
        kept: KeptRevocations | None,
        *,
        tell: Callable[[], None],
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._feed = feed
        self._base = feed.issuer.rstrip("/")
        self._state = state
        self._standing = standing
        self._kept = kept
        self._tell = tell
        self._clock = clock
        self._now = now
        self._own_token: OwnToken | None = None
        self.caught_up = False
        self.counted_as: str | None = None

    @property
    def not_counted_because(self) -> str | None:
        """Why the issuer does not count this verifier, where there are credentials."""
        return None if self._own_token is None else self._own_token.last_error

    async def run(self) -> None:
        """Follow the feed until cancelled."""
        from sensos_auth.verifying.feed_connection import FeedConnection  # noqa: PLC0415 - as RemoteJwks

        async with FeedConnection() as connection, FeedConnection() as other, contextlib.AsyncExitStack() as stack:
            if self._feed.credentials is not None:
                self._own_token = OwnToken(self._feed.credentials, self._base, connection=other, clock=self._clock)
                stack.push_async_callback(self._own_token.close)
            if self._kept is not None:
                writing = asyncio.create_task(self._kept.keep_writing(lambda: self._standing.confirmed_at))
                stack.callback(self._write_news)
                stack.push_async_callback(_end, writing)
            await self._poll_for_ever(connection)

    async def _poll_for_ever(self, connection: "FeedConnection") -> None:
        failures = 0
        forget_at = self._clock() + _FORGET_EVERY
        while True:
            began, held = self._clock(), self._state.version
            token = await self._token()
            # Not held back at the server, so that what it says is of now, and whose token this is at once known.
            wait = self._feed.wait if self._is_in_touch() and (token is None or self.counted_as is not None) else 0
            try:
                page = await self._poll(connection, held, wait, token)
            except Exception as error:  # noqa: BLE001 - whatever it was, the feed is followed on
                # Of an exception that nobody planned only the name: nobody knows what is in its text.
                self._fail(str(error) if isinstance(error, SensosAuthError) else type(error).__name__)
                pause = _PAUSES[min(failures, len(_PAUSES) - 1)] * random.uniform(0.5, 1.0)  # noqa: S311 - to spread them
                failures += 1
            else:
                pause = self._pace(page, held, wait)
                failures = 0
            elapsed = self._clock() - began
            await asyncio.sleep(pause - elapsed if elapsed < pause else _jitter() if failures else 0.0)
            self._standing.report_staleness(self._clock(), self._feed.when_stale)
            if self._clock() >= forget_at:
                self._state.forget_ended(min(self._now(), self._state.as_of))
                forget_at = self._clock() + _FORGET_EVERY

    def _write_news(self) -> None:
        if self._kept is not None and self._kept.has_news():
            self._kept.write(self._standing.confirmed_at)

    def _is_in_touch(self) -> bool:
        standing = self._standing
        return self.caught_up and standing.failing_since is None and not standing.stale(self._clock())

    def _pace(self, page: RevocationPage, held: int, wait: int) -> float:
        if page.version > held:
            return 0.0 if page.more else _PACE_OF_NEWS
        return 0.0 if wait == 0 and self._is_in_touch() else _PACE

    async def _token(self) -> str | None:
        if self._own_token is None:
            return None
        if self.caught_up:
            await self._own_token.first()  # so that this verifier is counted from the start
        return self._own_token.current()

    async def _poll(self, connection: "FeedConnection", held: int, wait: int, token: str | None) -> RevocationPage:
        asked_at = self._clock()
        answer = await connection.get(self._question(held, wait, token), wait + _ANSWERED_WITHIN, token)
        if token is not None and self._own_token is not None and answer.status in _NOT_TAKEN:
            self._own_token.refused(token, answer.status)
            self.counted_as = None
            return await self._poll(connection, held, 0, None)
        page = self._read(answer, held)
        self.counted_as = None
        if token is not None and self._own_token is not None:
            self.counted_as = self._own_name()
            self._own_token.accepted()
        self._take_in(page, asked_at)
        return page

    def _question(self, held: int, wait: int, token: str | None) -> str:
        members = {"since": str(held), "wait": str(wait)}
        if token is not None:
            members["verifier"] = self._own_name()
            key_ids = () if self._feed.token_keys is None else self._feed.token_keys.health().key_ids
            members["keys"] = ",".join(key_ids[:_MOST_KEY_IDS])
        return f"{self._base}{FEED_PATH}?{urlencode(members)}"

    def _read(self, answer: "Answer", held: int) -> RevocationPage:
        if answer.status != _OK:
            raise PageRefused(f"status {answer.status}")
        signature = answer.headers.get(SIGNATURE_HEADER, "")
        return read_page(answer.body, signature, keys=self._feed.keys, issuer=self._feed.issuer, since=held)

    def _take_in(self, page: RevocationPage, asked_at: float) -> None:
        self._state.apply(page)
        self._standing.succeed()
        if page.signing_keys and self._feed.token_keys is not None:
            self._feed.token_keys.refresh_soon()
        if not page.more:
            self._standing.confirm(asked_at, self._now() - page.as_of, self._clock())
            self.caught_up = True
            self._tell()

    def _fail(self, error: str) -> None:
        self._standing.fail(self._clock(), error)
        self._tell()

    def _own_name(self) -> str:
        name, process = self._feed.name, os.getpid()
        if name is not None and process == self._feed.made_in:
            return name
        host = re.sub(r"[^A-Za-z0-9._:-]", "-", socket.gethostname())
        return f"{(name or host)[: 63 - len(str(process))]}-{process}"


def _jitter() -> float:
    return random.uniform(0.0, 0.2)  # noqa: S311 - so that not all verifiers of a server that went away ask at once


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
