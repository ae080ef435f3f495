"""The revocation feed of an issuer, followed in the background."""

import asyncio
import contextlib
import logging
import math
import os
import random
import re
import socket
import time
import weakref
from collections.abc import Callable
from threading import Condition, Thread, current_thread
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from sensos_auth.model.errors import ConfigurationError, SensosAuthError
from sensos_auth.model.revocation import Provenance
from sensos_auth.model.revocation_page import FEED_KEYS_PATH, FEED_PATH, SIGNATURE_HEADER, RevocationPage
from sensos_auth.verifying.boot_clock import seconds_since_boot
from sensos_auth.verifying.errors import KeysUnavailable, RevocationsUnavailable
from sensos_auth.verifying.feed_page import FEED, PageRefused, read_page
from sensos_auth.verifying.feed_standing import FeedStanding, RevocationsHealth
from sensos_auth.verifying.issuer_url import check_issuer_url
from sensos_auth.verifying.kept_document import KeptDocument
from sensos_auth.verifying.kept_revocations import KeptRevocations
from sensos_auth.verifying.own_token import OwnToken, VerifierCredentials
from sensos_auth.verifying.remote_jwks import RemoteJwks
from sensos_auth.verifying.revocation_state import RevocationState

if TYPE_CHECKING:
    from sensos_auth.verifying.feed_connection import Answer, FeedConnection

WhenStale = Literal["accept", "refuse"]

MAX_STALENESS = 60.0
_SHORTEST_STALENESS = 5.0
_WAIT = 10  # seconds that a poll is held while there is no news
_ANSWERED_WITHIN = 3.0  # seconds beyond that; then the connection counts as dead
_PACE = 1.0  # seconds from one poll to the next, where the first was answered early and without news
_PACE_OF_NEWS = 0.05  # seconds; what is revoked one by one in a row comes together
# Seconds after a failure, and the next, …; less by chance, down to half. A restart is over before they grow.
_PAUSES = (0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0)
_FORGET_EVERY = 600.0  # seconds
_FIRST_KEYS = 1.0  # seconds
_END = 2.0  # seconds
_MOST_KEY_IDS = 20  # that a poll may name
_OK = 200
_NOT_TAKEN = frozenset((401, 403))
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")

_logger = logging.getLogger("sensos_auth.verifying")


class RemoteRevocations:
    """What the issuer at this URL has revoked, heard of by its feed within a moment. Give it to a :class:`Verifier`.

    A daemon thread follows the feed from the first use on; no request ever waits for it. Each page must be signed with
    a key that the issuer publishes for the feed. Revocations only ever come in, until they end: neither an outage nor
    a restart of the issuer, a restored backup or a replayed page makes a void token good again.

    While the feed cannot be confirmed, what is known goes on being refused, and what was revoked since is not known.
    After ``max_staleness`` seconds of that (5 or more), ``when_stale`` decides about all tokens: ``accept`` them, and
    report it in log and health, or ``refuse``, so that verification raises RevocationsUnavailable, which is answered
    with 503. To ``refuse`` before the feed was first heard, too, is part of it.

    ``keys`` are those that tokens are verified with: they are fetched anew when one was revoked. With ``credentials``,
    of an application with the scope ``auth:verifier``, the issuer counts this verifier among those that a revocation
    has reached, under ``name``: up to 64 letters, digits and ``._:-``, by default the host's name and the process ID.
    ``state_folder`` is where to keep what is known, for a start while the issuer is away.

    The issuer must be ``https``, but for a loopback address; ``allow_insecure_http`` says openly that somebody on the
    way may exchange keys, and so hide revocations. ``clock`` counts seconds and goes on while the machine sleeps,
    ``now`` returns UTC seconds. Raises ConfigurationError.
    """

    def __init__(
        self,
        issuer: str,
        *,
        keys: RemoteJwks | None = None,
        credentials: VerifierCredentials | None = None,
        name: str | None = None,
        max_staleness: float = MAX_STALENESS,
        when_stale: WhenStale = "accept",
        allow_insecure_http: bool = False,
        state_folder: str | os.PathLike[str] | None = None,
        clock: Callable[[], float] = seconds_since_boot,
        now: Callable[[], float] = time.time,
    ) -> None:
        check_issuer_url(issuer, "the issuer's URL", allow_insecure_http=allow_insecure_http)
        if not _SHORTEST_STALENESS <= max_staleness < math.inf:
            raise ConfigurationError(f"max_staleness is at least {_SHORTEST_STALENESS:g} seconds")
        if when_stale not in ("accept", "refuse"):
            raise ConfigurationError('when_stale is "accept" or "refuse"')
        if name is not None and not _NAME.fullmatch(name):
            raise ConfigurationError("the name of a verifier is 1 to 64 letters, digits, dots, colons, _ and -")
        self._issuer = issuer
        base = issuer.rstrip("/")
        self._url = base + FEED_PATH
        self._base = base
        self._feed_keys = RemoteJwks(
            base + FEED_KEYS_PATH, profile=FEED, allow_insecure_http=allow_insecure_http, clock=clock
        )
        self._token_keys = keys
        self._credentials = credentials
        self._name = name
        self._max_staleness = max_staleness
        self._refuses = when_stale == "refuse"
        self._wait = min(_WAIT, int(max_staleness // 4))
        self._clock = clock
        self._now = now
        self._state = RevocationState()
        self._standing = FeedStanding(self._url, max_staleness=max_staleness, now=clock())
        self._kept: KeptRevocations | None = None
        if state_folder is not None:
            document = KeptDocument(state_folder, "revocations", issuer, now=now)
            self._kept = KeptRevocations(document, self._state, issuer, clock=clock)
            if self._kept.confirmed_ago is not None:
                self._standing.confirm(clock() - self._kept.confirmed_ago, 0.0, clock())
        self._closed = False
        self._have_no_thread()
        _instances.add(self)

    def generation(self) -> int:
        """Return a number that changes with every revocation; raises RevocationsUnavailable when that is to be done."""
        if self._thread is None:
            self._start()
        if self._refuses and self._clock() - self._standing.confirmed_at > self._max_staleness:
            raise RevocationsUnavailable("the revocation feed of the issuer has not been heard, or too long ago")
        return self._state.generation

    def voids(self, token: Provenance) -> bool:
        """Tell whether the token is void, by what has been heard so far."""
        return self._state.voids(token)

    def wait_until_ready(self, timeout: float = 10.0) -> None:
        """Return as soon as all is known that is revoked; raises RevocationsUnavailable after ``timeout`` seconds.

        Call it when the service starts. Where stale revocations are accepted and some were kept in ``state_folder``, a
        poll that fails is enough: the issuer is away.
        """
        self._start()
        with self._arrived:
            if not self._arrived.wait_for(self._is_ready, timeout):
                raise RevocationsUnavailable(f"the revocation feed of the issuer was not heard within {timeout:g} s")

    async def ready(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - as wait_until_ready
        """Do what :meth:`wait_until_ready` does without blocking the event loop."""
        await asyncio.to_thread(self.wait_until_ready, timeout)

    def health(self) -> RevocationsHealth:
        """Return how it stands with the revocations, for a health endpoint or a metric."""
        now, standing, own_token = self._clock(), self._standing, self._own_token
        failing_since = standing.failing_since
        return RevocationsHealth(
            version=self._state.version,
            entries=self._state.entries(),
            confirmed_ago=now - standing.confirmed_at if standing.confirmed_at > -math.inf else None,
            stale=standing.stale(now),
            failing_for=None if failing_since is None else now - failing_since,
            last_error=standing.last_error,
            counted_as=self._counted_as,
            not_counted_because=None if own_token is None else own_token.last_error,
        )

    def close(self) -> None:
        """End the background threads. What is known is kept, but nothing new is heard."""
        self._closed = True
        self._feed_keys.close()
        thread, stop = self._thread, self._stop
        if thread is not None and stop is not None:
            stop()
            if thread is not current_thread():
                thread.join(_END)

    def _have_no_thread(self) -> None:
        self._thread: Thread | None = None
        self._stop: Callable[[], None] | None = None
        self._own_token: OwnToken | None = None
        self._counted_as: str | None = None
        self._caught_up = False
        self._arrived = Condition()

    def _after_fork(self) -> None:
        self._have_no_thread()
        self._state.have_all_asked_again()

    def _is_ready(self) -> bool:
        has_some = self._kept is not None and self._kept.confirmed_ago is not None
        return self._caught_up or (has_some and not self._refuses and self._standing.last_error is not None)

    def _start(self) -> None:
        with self._arrived:
            if self._thread is None and not self._closed:
                thread = Thread(target=self._run, name="sensos-auth-revocations", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while not self._closed:
            with contextlib.suppress(KeysUnavailable):  # whatever it was, the first poll says so
                self._feed_keys.wait_until_ready(_FIRST_KEYS)
            with contextlib.suppress(asyncio.CancelledError):
                asyncio.run(self._follow())

    async def _follow(self) -> None:
        from sensos_auth.verifying.feed_connection import FeedConnection  # noqa: PLC0415 - as RemoteJwks

        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._stop = lambda: _cancel(loop, task)
        async with FeedConnection() as connection, FeedConnection() as other, contextlib.AsyncExitStack() as stack:
            if self._credentials is not None:
                self._own_token = OwnToken(self._credentials, self._base, connection=other, clock=self._clock)
                stack.push_async_callback(self._own_token.close)
            if self._kept is not None:
                writing = asyncio.create_task(self._kept.keep_writing(lambda: self._standing.confirmed_at))
                stack.callback(self._write_news)
                stack.push_async_callback(_end, writing)
            await self._poll_for_ever(connection)

    async def _poll_for_ever(self, connection: "FeedConnection") -> None:
        failures = 0
        forget_at = self._clock() + _FORGET_EVERY
        while not self._closed:
            began, held = self._clock(), self._state.version
            token = await self._token()
            # Not held back at the server, so that what it says is of now, and whose token this is at once known.
            wait = self._wait if self._is_in_touch() and (token is None or self._counted_as is not None) else 0
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
            self._standing.report_staleness(
                self._clock(), "all tokens are refused" if self._refuses else "tokens are accepted all the same"
            )
            if self._clock() >= forget_at:
                self._state.forget_ended(min(self._now(), self._state.as_of))
                forget_at = self._clock() + _FORGET_EVERY

    def _write_news(self) -> None:
        if self._kept is not None and self._kept.has_news():
            self._kept.write(self._standing.confirmed_at)

    def _is_in_touch(self) -> bool:
        standing = self._standing
        return self._caught_up and standing.failing_since is None and not standing.stale(self._clock())

    def _pace(self, page: RevocationPage, held: int, wait: int) -> float:
        if page.version > held:
            return 0.0 if page.more else _PACE_OF_NEWS
        return 0.0 if wait == 0 and self._is_in_touch() else _PACE

    async def _token(self) -> str | None:
        if self._own_token is None:
            return None
        if self._caught_up:
            await self._own_token.first()  # so that this verifier is counted from the start
        return self._own_token.current()

    async def _poll(self, connection: "FeedConnection", held: int, wait: int, token: str | None) -> RevocationPage:
        asked_at = self._clock()
        answer = await connection.get(self._question(held, wait, token), wait + _ANSWERED_WITHIN, token)
        if token is not None and self._own_token is not None and answer.status in _NOT_TAKEN:
            self._own_token.refused(token, answer.status)
            self._counted_as = None
            return await self._poll(connection, held, 0, None)
        page = self._read(answer, held)
        self._counted_as = None
        if token is not None and self._own_token is not None:
            self._counted_as = self._own_name()
            self._own_token.accepted()
        self._take_in(page, asked_at)
        return page

    def _question(self, held: int, wait: int, token: str | None) -> str:
        members = {"since": str(held), "wait": str(wait)}
        if token is not None:
            members["verifier"] = self._own_name()
            key_ids = () if self._token_keys is None else self._token_keys.health().key_ids
            members["keys"] = ",".join(key_ids[:_MOST_KEY_IDS])
        return f"{self._url}?{urlencode(members)}"

    def _read(self, answer: "Answer", held: int) -> RevocationPage:
        if answer.status != _OK:
            raise PageRefused(f"status {answer.status}")
        signature = answer.headers.get(SIGNATURE_HEADER, "")
        return read_page(answer.body, signature, keys=self._feed_keys, issuer=self._issuer, since=held)

    def _take_in(self, page: RevocationPage, asked_at: float) -> None:
        self._state.apply(page)
        self._standing.succeed()
        if page.signing_keys and self._token_keys is not None:
            self._token_keys.refresh_soon()
        if not page.more:
            self._standing.confirm(asked_at, self._now() - page.as_of, self._clock())
            with self._arrived:
                self._caught_up = True
                self._arrived.notify_all()

    def _fail(self, error: str) -> None:
        self._standing.fail(self._clock(), error)
        with self._arrived:
            self._arrived.notify_all()

    def _own_name(self) -> str:
        if self._name is not None:
            return self._name
        host = re.sub(r"[^A-Za-z0-9._:-]", "-", socket.gethostname())
        process = f"-{os.getpid()}"
        return host[: 64 - len(process)] + process


def _jitter() -> float:
    return random.uniform(0.0, 0.2)  # noqa: S311 - so that not all verifiers of a server that went away ask at once


def _cancel(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]") -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(task.cancel)


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


_instances: "weakref.WeakSet[RemoteRevocations]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for instance in _instances:
        instance._after_fork()  # noqa: SLF001 - this module's own


os.register_at_fork(after_in_child=_after_fork_in_child)
