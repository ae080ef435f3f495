"""The revocation feed of an issuer, followed in the background."""

import asyncio
import contextlib
import math
import os
import re
import time
import weakref
from collections.abc import Callable
from threading import Condition, Thread, current_thread

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.revocation import Provenance
from sensos_auth.model.revocation_page import FEED_KEYS_PATH, FEED_PATH
from sensos_auth.verifying.boot_clock import seconds_since_boot
from sensos_auth.verifying.errors import KeysUnavailable, RevocationsUnavailable
from sensos_auth.verifying.feed_follower import LONGEST_WAIT, Feed, FeedFollower, WhenStale
from sensos_auth.verifying.feed_page import FEED
from sensos_auth.verifying.feed_standing import FeedStanding, RevocationsHealth
from sensos_auth.verifying.issuer_url import check_issuer_url
from sensos_auth.verifying.kept_document import KeptDocument
from sensos_auth.verifying.kept_revocations import KeptRevocations
from sensos_auth.verifying.own_token import VerifierCredentials
from sensos_auth.verifying.remote_jwks import RemoteJwks
from sensos_auth.verifying.revocation_state import RevocationState

MAX_STALENESS = 60.0
_SHORTEST_STALENESS = 5.0
_FIRST_HEARING = 10.0  # seconds; a token revoked long ago must not pass because the verifier has just begun to listen
_FIRST_KEYS = 1.0  # seconds
_AFTER_TROUBLE = 1.0  # seconds
_END = 2.0  # seconds
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class RemoteRevocations:
    """What the issuer at this URL has revoked, heard of by its feed within a moment. Give it to a :class:`Verifier`.

    A daemon thread follows the feed from the first use on; no request ever waits for it. Each page must be signed with
    a key that the issuer publishes for the feed. Revocations only ever come in, until they end: neither an outage nor
    a restart of the issuer, a restored backup or a replayed page makes a void token good again.

    While the feed cannot be confirmed, what is known goes on being refused, and what was revoked since is not known.
    After ``max_staleness`` seconds of that (5 or more), ``when_stale`` decides about all tokens: ``accept`` them, and
    report it in log and health, or ``refuse``, so that verification raises RevocationsUnavailable, which is answered
    with 503. Before the feed was first heard, nothing can be said of any token either: for the first ten seconds with
    ``accept``, for as long as it takes with ``refuse``. A forked process begins to listen at once if its parent did,
    and says nothing before its first poll has ended, or ten seconds are over.

    ``keys`` are those that tokens are verified with: they are fetched anew when one was revoked. With ``credentials``,
    of an application with the scope ``auth:verifier``, the issuer counts this verifier among those that a revocation
    has reached, under ``name``: up to 64 letters, digits and ``._:-``, by default the host's name and the process ID.
    A name is for one process, since its last poll counts: those that are forked off it add a hyphen and their ID.
    ``state_folder`` is where to keep what is known, for a start while the issuer is away.

    The issuer must be ``https``, but for a loopback address; ``allow_insecure_http`` says openly that somebody on the
    way may exchange keys, and so hide revocations, and read the credentials. ``clock`` counts seconds and goes on while
    the machine sleeps, ``now`` returns UTC seconds. Raises ConfigurationError.
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
        base = issuer.rstrip("/")
        self._feed_keys = RemoteJwks(
            base + FEED_KEYS_PATH, profile=FEED, allow_insecure_http=allow_insecure_http, clock=clock
        )
        wait = min(LONGEST_WAIT, int(max_staleness // 4))
        self._feed = Feed(issuer, wait, self._feed_keys, keys, credentials, name, os.getpid(), when_stale)
        self._max_staleness = max_staleness
        self._refuses = when_stale == "refuse"
        self._may_refuse = True
        self._is_hearsay = False  # what is known comes from a parent process, and no poll has ended here yet
        self._began_at = clock()
        self._clock = clock
        self._now = now
        self._state = RevocationState()
        self._standing = FeedStanding(base + FEED_PATH, max_staleness=max_staleness, now=clock())
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
        if self._may_refuse:
            self._check_heard()
        return self._state.generation

    def voids(self, token: Provenance) -> bool:
        """Tell whether the token is void, by what has been heard so far."""
        return self._state.voids(token)

    def _check_heard(self) -> None:
        now, confirmed_at = self._clock(), self._standing.confirmed_at
        if self._refuses:
            is_heard = now - confirmed_at <= self._max_staleness
        else:
            is_heard = confirmed_at > -math.inf or now - self._began_at > _FIRST_HEARING
            self._may_refuse = not is_heard or self._is_hearsay
        if self._is_hearsay and now - self._began_at <= _FIRST_HEARING:
            is_heard = False  # it may have been long ago
        if not is_heard:
            raise RevocationsUnavailable("the revocation feed of the issuer has not been heard, or too long ago")

    def wait_until_ready(self, timeout: float = 10.0) -> None:
        """Return as soon as all is known that is revoked; raises RevocationsUnavailable after ``timeout`` seconds.

        Call it when the service starts. Where stale revocations are accepted and some were kept in ``state_folder``, a
        poll that fails is enough: the issuer is away.
        """
        self._start()
        with self._arrived:
            if not self._arrived.wait_for(self._is_ready, timeout):
                cause = self._standing.last_error or "no answer"
                raise RevocationsUnavailable(f"the revocation feed was not heard within {timeout:.3g} s: {cause}")

    async def ready(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - as wait_until_ready
        """Do what :meth:`wait_until_ready` does without blocking the event loop."""
        await asyncio.to_thread(self.wait_until_ready, timeout)

    def health(self) -> RevocationsHealth:
        """Return how it stands with the revocations, for a health endpoint or a metric."""
        now, standing, follower = self._clock(), self._standing, self._follower
        failing_since = standing.failing_since
        return RevocationsHealth(
            version=self._state.version,
            entries=self._state.entries(),
            confirmed_ago=now - standing.confirmed_at if standing.confirmed_at > -math.inf else None,
            stale=standing.stale(now),
            failing_for=None if failing_since is None else now - failing_since,
            last_error=standing.last_error,
            counted_as=follower.counted_as,
            not_counted_because=follower.not_counted_because,
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
        self._arrived = Condition()
        self._follower = FeedFollower(
            self._feed,
            self._state,
            self._standing,
            self._kept,
            tell=self._notify,
            clock=self._clock,
            now=self._now,
        )

    def _after_fork(self) -> None:
        was_followed = self._thread is not None
        self._have_no_thread()
        self._state.have_all_asked_again()
        self._is_hearsay = self._may_refuse = True
        if was_followed:
            self._start()  # by the first request it has mostly heard all

    def _is_ready(self) -> bool:
        has_some = self._kept is not None and self._kept.confirmed_ago is not None
        return self._follower.caught_up or (has_some and not self._refuses and self._standing.last_error is not None)

    def _start(self) -> None:
        with self._arrived:
            if self._thread is None and not self._closed:
                thread = Thread(target=self._run, name="sensos-auth-revocations", daemon=True)
                self._began_at = self._clock()
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while not self._closed:
            with contextlib.suppress(KeysUnavailable):  # whatever it was, the first poll says so
                self._feed_keys.wait_until_ready(_FIRST_KEYS)
            try:
                with asyncio.Runner() as runner:
                    runner.run(self._follow())
            except asyncio.CancelledError:
                continue
            except Exception as error:  # noqa: BLE001 - such as no file descriptor for a loop: the thread must live on
                self._standing.fail(self._clock(), type(error).__name__)
                self._notify()
                time.sleep(_AFTER_TROUBLE)

    async def _follow(self) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._stop = lambda: _cancel(loop, task)
        if not self._closed:
            await self._follower.run()

    def _notify(self) -> None:
        self._is_hearsay = False
        with self._arrived:
            self._arrived.notify_all()


def _cancel(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]") -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(task.cancel)


_instances: "weakref.WeakSet[RemoteRevocations]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for instance in _instances:
        instance._after_fork()  # noqa: SLF001 - this module's own


os.register_at_fork(after_in_child=_after_fork_in_child)
