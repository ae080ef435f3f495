"""The revocation feed inside a worker: a thread that reads pages, signs them, and wakes who waits for news.

It has a registry connection of its own, so that no request waits for its reading. All of its state belongs to the
thread; the event loop only hands polls in and awaits their answers.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import structlog

from sensos_auth.issuing.feed_signer import FeedSigner
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.registry import Registry, View
from sensos_auth.registry.revocations import registry_version, revocation_page, revocations_version
from sensos_auth.server.log_lines import described

# Seconds between two looks at the registry, while anybody waits.
_LOOKS_EVERY = 0.05
# Polls that may wait at once in one worker: of verifiers that show a token, and of anybody.
MOST_WAITING_WITH_TOKEN = 1_000
MOST_WAITING_WITHOUT = 200
# Pages kept in memory for as long as nothing changes, and within a second: a burst of readers signs once.
_MOST_PAGES = 128

_encode = msgspec.json.Encoder().encode


class SignedPage(NamedTuple):
    """A page of the feed as it is sent, and the signature over it."""

    body: bytes
    signature: bytes
    version: int


@dataclass(slots=True, eq=False)
class _Poll:
    since: int
    wait_until: float  # on the monotonic clock
    has_token: bool
    answer: "asyncio.Future[SignedPage]"
    is_gone: bool = False


class RevocationFeed:
    """Answers polls of the feed. ``open_registry`` is called in the thread, for a connection of its own."""

    def __init__(self, open_registry: Callable[[], Registry], signer: FeedSigner, issuer: str) -> None:
        self._open_registry = open_registry
        self._signer = signer
        self._issuer = issuer
        self._arriving: queue.SimpleQueue[_Poll | None] = queue.SimpleQueue()
        self._waiting: list[_Poll] = []
        self._pages: dict[int, SignedPage] = {}
        self._pages_are_of = (-1, -1)  # registry version, UTC seconds
        self._registry: Registry | None = None
        self._may_wait = True
        self._has_ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="revocation feed", daemon=True)

    def start(self) -> None:
        """Begin to answer, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def stop_waiting(self) -> None:
        """Answer who waits, and from now on everybody at once: this worker is about to end."""
        self._may_wait = False
        self._arriving.put(None)

    def close(self, timeout: float = 3.0) -> None:
        """End, waiting at most ``timeout`` seconds for what is under way."""
        self._may_wait = False
        self._has_ended = True
        self._arriving.put(None)
        self._thread.join(timeout)

    async def poll(self, since: int, wait: float, *, has_token: bool) -> SignedPage:
        """Return the page after the version ``since``; with ``wait`` (seconds), as soon as it holds a revocation.

        Who can't wait, because too many do, gets the page as it is. Raises RegistryUnavailable. Cancelling it frees
        the place.
        """
        poll = _Poll(since, time.monotonic() + wait, has_token, asyncio.get_running_loop().create_future())
        self._arriving.put(poll)
        try:
            return await poll.answer
        finally:
            poll.is_gone = True

    def _run(self) -> None:
        while not self._has_ended:
            arrived = self._next_polls()
            try:
                answered = self._look(arrived)
            except Exception as error:  # noqa: BLE001 - the thread must live on: all who asked are told, and come again
                self._fail([*arrived, *self._waiting], error)
                self._waiting = []
            else:
                self._settle(answered)
        if self._registry is not None:
            self._registry.close()

    def _next_polls(self) -> list[_Poll]:
        polls: list[_Poll] = []
        try:
            first = self._arriving.get(timeout=_LOOKS_EVERY if self._waiting else None)
            polls += [] if first is None else [first]
            while not self._arriving.empty():
                poll = self._arriving.get_nowait()
                polls += [] if poll is None else [poll]
        except queue.Empty:
            pass
        return polls

    def _look(self, arrived: list[_Poll]) -> list[tuple[_Poll, SignedPage]]:
        if self._registry is None:
            self._registry = self._open_registry()
        with self._registry.view() as view:
            version, news = registry_version(view), revocations_version(view)
            now = time.monotonic()
            answered = []
            still_waiting: list[_Poll] = []
            room = {True: MOST_WAITING_WITH_TOKEN, False: MOST_WAITING_WITHOUT}
            for poll in (*self._waiting, *arrived):
                if poll.is_gone:
                    continue
                has_nothing_new = news <= poll.since <= version
                if has_nothing_new and now < poll.wait_until and self._may_wait and room[poll.has_token]:
                    room[poll.has_token] -= 1
                    still_waiting.append(poll)
                else:
                    answered.append((poll, self._page(view, version, poll.since)))
            self._waiting = still_waiting
        return answered

    def _page(self, view: View, version: int, since: int) -> SignedPage:
        if self._pages_are_of != (version, view.now) or len(self._pages) >= _MOST_PAGES:
            self._pages = {}
            self._pages_are_of = (version, view.now)
        page = self._pages.get(since)
        if page is None:
            page = self._pages[since] = self._signed(revocation_page(view, self._issuer, since))
        return page

    def _signed(self, page: RevocationPage) -> SignedPage:
        body = _encode(page)
        return SignedPage(body, self._signer.sign(body), page.version)

    def _settle(self, answered: list[tuple[_Poll, SignedPage]]) -> None:
        def settle() -> None:
            for poll, page in answered:
                if not poll.answer.done():
                    poll.answer.set_result(page)

        if answered:
            self._in_event_loop(settle)

    def _fail(self, polls: list[_Poll], error: Exception) -> None:
        log = structlog.get_logger()
        if not isinstance(error, RegistryUnavailable):
            log.error("revocation feed failed", **described(error))
            error = RegistryUnavailable("the revocation feed failed")

        def fail() -> None:
            for poll in polls:
                if not poll.answer.done():
                    poll.answer.set_exception(error)

        self._in_event_loop(fail)

    def _in_event_loop(self, call: Callable[[], None]) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # the loop is closed: nobody is left to be told
            self._has_ended = True
