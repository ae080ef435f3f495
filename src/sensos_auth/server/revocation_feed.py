"""The revocation feed inside a worker: a thread that reads pages, signs them, and wakes who waits for news.

It has a registry connection of its own, so that no request waits for its reading. Its state belongs to the thread; the
event loop only hands polls in and awaits their answers.
"""

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
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
# Seconds between two looks at whether anything is heard of the registry at all.
_WATCHES_EVERY = 0.1
# Polls that may wait at once in one worker: of verifiers that show a token, and of anybody.
MOST_WAITING_WITH_TOKEN = 1_000
MOST_WAITING_WITHOUT = 200
# Polls that were not looked at yet, of either kind. A full page takes 20 ms, so this is where a flood ends.
_MOST_ARRIVED = 1_000
# After polls without a token were answered, so many times as long passes before the next of them are.
_STRANGERS_PAUSE = 3.0
# Seconds that it lasts at most. What takes longer was not their pages, but a registry that is slow: they are told of
# what was revoked all the same.
_LONGEST_STRANGERS_PAUSE = 0.5
# Bytes of pages kept in memory for as long as nothing changes, and within a second: a burst of readers signs once.
_LARGEST_PAGES = 16_000_000

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
    """Answers polls of the feed. ``open_registry`` is called in the thread, for a connection of its own.

    ``known_version`` is asked for the registry version that this worker has heard of, where it hears of it: then the
    registry is not looked at while that stays the same and nobody has to be answered. When it raises
    RegistryUnavailable, all who wait are told at once, so that they go to another worker that does hear.
    """

    def __init__(
        self,
        open_registry: Callable[[], Registry],
        signer: FeedSigner,
        issuer: str,
        known_version: Callable[[], int] | None = None,
    ) -> None:
        self._open_registry = open_registry
        self._known_version = known_version
        self._looked_at = -1
        self._signer = signer
        self._issuer = issuer
        self._arriving: queue.SimpleQueue[_Poll | None] = queue.SimpleQueue()
        self._asked: set[asyncio.Future[SignedPage]] = set()  # the event loop's; all else is the thread's
        self._arrived: dict[bool, deque[_Poll]] = {True: deque(), False: deque()}
        self._waiting: list[_Poll] = []
        self._pages: dict[int, SignedPage] = {}
        self._pages_size = 0
        self._pages_are_of = (-1, -1)  # registry version, UTC seconds
        self._registry: Registry | None = None
        self._strangers_from = 0.0  # on the monotonic clock
        self._may_wait = True
        self._has_ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="revocation feed", daemon=True)

    def start(self) -> None:
        """Begin to answer, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        if self._known_version is not None:
            self._watch(self._loop, self._known_version)

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
        self._asked.add(poll.answer)
        try:
            return await poll.answer
        finally:
            poll.is_gone = True
            self._asked.discard(poll.answer)

    def _watch(self, loop: asyncio.AbstractEventLoop, known_version: Callable[[], int]) -> None:
        """Tell all who wait when nothing is heard, also when the thread is stuck in a question to the registry."""
        if self._has_ended:
            return
        try:
            known_version()
        except RegistryUnavailable as error:
            for answer in self._asked:
                if not answer.done():
                    answer.set_exception(error)
        loop.call_later(_WATCHES_EVERY, self._watch, loop, known_version)

    def _run(self) -> None:
        while not self._has_ended:
            self._let_in()
            try:
                if self._knows_of_nothing_to_do():
                    continue
                if self._registry is None:
                    self._registry = self._open_registry()
                with self._registry.view() as view:
                    self._look(view)
            except Exception as error:  # noqa: BLE001 - the thread must live on: all who asked are told, and come again
                self._fail([*self._waiting, *self._arrived[True], *self._arrived[False]], error)
                self._waiting = []
                self._arrived = {True: deque(), False: deque()}
        if self._registry is not None:
            self._registry.close()

    def _knows_of_nothing_to_do(self) -> bool:
        if self._known_version is None:
            return False
        known = self._known_version()
        if self._arrived[True] or self._arrived[False]:
            return False
        now = time.monotonic()
        is_somebody_due = any(poll.is_gone or poll.wait_until <= now for poll in self._waiting) or not self._may_wait
        return known == self._looked_at and not is_somebody_due

    def _let_in(self) -> None:
        """Take the polls that came, after a pause if there are none."""
        pauses = [_LOOKS_EVERY] if self._waiting else []
        if self._arrived[False]:
            pauses.append(max(0.0, self._strangers_from - time.monotonic()))
        if self._arrived[True]:
            pauses.append(0.0)
        refused: list[_Poll] = []
        with suppress(queue.Empty):
            poll = self._arriving.get(timeout=min(pauses, default=None))
            while True:
                if poll is not None:
                    arrived = self._arrived[poll.has_token]
                    (arrived if len(arrived) < _MOST_ARRIVED else refused).append(poll)
                poll = self._arriving.get_nowait()
        if refused:
            self._fail(refused, RegistryUnavailable("too many polls of the revocation feed at once"))

    def _look(self, view: View) -> None:
        """Answer who has waited long enough, then who came: first with a token, and not for longer than a moment.

        Who waited without a token is only put before those who come without one: each may wait for a page of his own.
        All of them get a quarter of the thread's time: sixty full pages a second, which anybody can ask for, would take
        half of the token rate.
        """
        version, news = registry_version(view), revocations_version(view)
        self._looked_at = version
        room = {True: MOST_WAITING_WITH_TOKEN, False: MOST_WAITING_WITHOUT}

        def must_wait(poll: _Poll) -> bool:
            has_nothing_new = news <= poll.since <= version
            may_wait = self._may_wait and time.monotonic() < poll.wait_until and room[poll.has_token] > 0
            room[poll.has_token] -= has_nothing_new and may_wait
            return has_nothing_new and may_wait

        # Nobody is let go of before he is answered: if reading fails on the way, all are told.
        here = [poll for poll in self._waiting if not poll.is_gone]
        waiting = [poll for poll in here if must_wait(poll)]
        due = set(here).difference(waiting)
        self._settle([(poll, self._page(view, version, poll.since)) for poll in here if poll in due and poll.has_token])
        self._waiting = waiting
        self._arrived[False].extendleft(poll for poll in reversed(here) if poll in due and not poll.has_token)
        self._answer(view, version, self._arrived[True], must_wait)
        began = time.monotonic()
        if began >= self._strangers_from:
            self._answer(view, version, self._arrived[False], must_wait)
            ended = time.monotonic()
            self._strangers_from = ended + min(_STRANGERS_PAUSE * (ended - began), _LONGEST_STRANGERS_PAUSE)

    def _answer(self, view: View, version: int, arrived: deque[_Poll], must_wait: Callable[[_Poll], bool]) -> None:
        stop_at = time.monotonic() + _LOOKS_EVERY
        while arrived and time.monotonic() < stop_at:
            poll = arrived[0]
            if not poll.is_gone and must_wait(poll):
                self._waiting.append(poll)
            elif not poll.is_gone:
                self._settle([(poll, self._page(view, version, poll.since))])
            arrived.popleft()

    def _page(self, view: View, version: int, since: int) -> SignedPage:
        if self._pages_are_of != (version, view.now) or self._pages_size > _LARGEST_PAGES:
            self._pages = {}
            self._pages_are_of = (version, view.now)
            self._pages_size = 0
        page = self._pages.get(since)
        if page is None:
            page = self._pages[since] = self._signed(revocation_page(view, self._issuer, since))
            self._pages_size += len(page.body)
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
