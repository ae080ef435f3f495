"""The keys that an issuer publishes at a URL, held in memory and kept fresh in the background."""

import asyncio
import contextlib
import logging
import os
import weakref
from collections.abc import Callable
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING

from sensos_auth.model.errors import ConfigurationError, InvalidInput, SensosAuthError
from sensos_auth.model.signing_key import PUBLISHED_BEFORE_SIGNING
from sensos_auth.verifying.boot_clock import seconds_since_boot
from sensos_auth.verifying.errors import KeysUnavailable
from sensos_auth.verifying.held_keys import HeldKeys, KeysHealth
from sensos_auth.verifying.issuer_url import check_issuer_url
from sensos_auth.verifying.jwks import parse_jwks
from sensos_auth.verifying.keys import VerificationKey
from sensos_auth.verifying.profile import Profile
from sensos_auth.verifying.sensos_profile import SENSOS

if TYPE_CHECKING:
    from sensos_auth.verifying.fetching import Fetched
    from sensos_auth.verifying.kept_document import KeptDocument

LONGEST_OUTAGE = 24 * 3600
_LONGEST_IDLE = 60.0  # seconds; a sleep of the machine is noticed at least this soon after it ended

_logger = logging.getLogger("sensos_auth.verifying")


class RemoteJwks:
    """The keys at ``url``, e.g. ``https://auth.example.com/.well-known/jwks.json``.

    A daemon thread fetches them at first use, and again before the answer's ``max-age`` ends; no request ever waits
    for it. A key ID that is not known makes it fetch again, once in 30 seconds at most. When the issuer can't be
    reached, or answers nonsense, the keys held go on serving for ``longest_outage`` seconds (24 h by default, 48 h at
    most: the issuer publishes a key that long before it signs); then, and before the first fetch, verification raises
    KeysUnavailable.

    The URL must be ``https``, but for a loopback address; ``allow_insecure_http`` says openly that somebody on the way
    may exchange the keys, and so make tokens of their own. Raises ConfigurationError otherwise. ``profile`` says which
    keys are taken; give the verifier the same. ``clock`` counts seconds and goes on while the machine sleeps; ``fetch``
    gets the URL's document. ``kept`` is where the document is kept for a start while the issuer is away: its age counts
    from when it was fetched.
    """

    def __init__(
        self,
        url: str,
        *,
        profile: Profile = SENSOS,
        longest_outage: float = LONGEST_OUTAGE,
        allow_insecure_http: bool = False,
        clock: Callable[[], float] | None = None,
        fetch: Callable[[str], "Fetched"] | None = None,
        kept: "KeptDocument | None" = None,
    ) -> None:
        check_issuer_url(url, "the JWKS URL", allow_insecure_http=allow_insecure_http)
        if not 0 < longest_outage <= PUBLISHED_BEFORE_SIGNING:
            raise ConfigurationError(f"longest_outage is more than 0 and at most {PUBLISHED_BEFORE_SIGNING} seconds")
        self.profile = profile
        self._url = url
        self._fetch = fetch or _over_http
        self._clock = clock or seconds_since_boot
        self._held = HeldKeys(longest_outage=longest_outage, now=self._clock())
        self._kept = kept
        self._hold_kept()
        self._closed = False
        self._have_no_thread()
        _instances.add(self)

    def find(self, kid: str) -> VerificationKey | None:
        """Return the key with this key ID or None; raises KeysUnavailable. Never waits for the network."""
        if self._thread is None:
            self._start()
        now = self._clock()
        try:
            key = self._held.find(kid, now)
        except KeysUnavailable:
            self._wake.set()  # the machine may have slept through the time when they were due
            raise
        if key is None and self._held.miss(now):
            self._wake.set()
        return key

    def wait_until_ready(self, timeout: float = 10.0) -> None:
        """Return as soon as there are keys to verify with; raises KeysUnavailable after ``timeout`` seconds.

        Call it when the service starts, so that its first request need not be refused.
        """
        self._start()
        with self._arrived:
            if not self._arrived.wait_for(lambda: self._held.usable(self._clock()), timeout):
                cause = self.health().last_error or "no answer"
                raise KeysUnavailable(f"the keys of the issuer did not arrive within {timeout:.3g} s: {cause}")

    async def ready(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - as wait_until_ready
        """Do what :meth:`wait_until_ready` does without blocking the event loop."""
        await asyncio.to_thread(self.wait_until_ready, timeout)

    def refresh_soon(self) -> None:
        """Have the keys fetched again: at once, or as soon as 30 seconds are over since the last attempt.

        For whoever has heard that they changed. However often it is called, it causes one fetch.
        """
        self._start()
        if self._held.miss(self._clock()):
            self._wake.set()

    def health(self) -> KeysHealth:
        """Return how it stands with the keys, for a health endpoint or a metric."""
        return self._held.health(self._clock())

    def close(self) -> None:
        """End the background thread. Keys are kept, but are not fetched any more."""
        self._closed = True
        self._wake.set()

    def _have_no_thread(self) -> None:
        self._thread: Thread | None = None
        self._wake = Event()
        self._arrived = Condition()

    def _hold_kept(self) -> None:
        loaded = None if self._kept is None else self._kept.load()
        if loaded is not None:
            document, ago = loaded
            with contextlib.suppress(InvalidInput):  # kept for another profile
                keys = parse_jwks(document, self.profile)
                self._held.begin(self._clock() - ago)
                self._held.succeed(keys, 0)

    def _after_fork(self) -> None:
        self._have_no_thread()
        self._held.forget_lock()

    def _start(self) -> None:
        with self._arrived:
            if self._thread is None and not self._closed:
                thread = Thread(target=self._keep_fresh, name="sensos-auth-jwks", daemon=True)
                thread.start()
                self._thread = thread

    def _keep_fresh(self) -> None:
        while not self._closed:
            delay = self._held.due_at - self._clock()
            if delay <= 0:
                self._refresh()
            else:
                self._wake.wait(min(delay, _LONGEST_IDLE))
                self._wake.clear()

    def _refresh(self) -> None:
        began = self._clock()
        self._held.begin(began)
        try:
            answer = self._fetch(self._url)
            self._held.succeed(parse_jwks(answer.document, self.profile), answer.max_age)
            if self._kept is not None:
                self._kept.save(answer.document, ago=self._clock() - began)
        except Exception as error:  # noqa: BLE001 - whatever it was, the keys held go on serving
            # Of an exception that nobody planned only the name: nobody knows what is in its text.
            cause = str(error) if isinstance(error, SensosAuthError) else type(error).__name__
            self._held.fail(self._clock(), cause)
            with contextlib.suppress(Exception):  # a broken filter of the service's log must not end this thread
                _logger.warning("could not refresh the keys from %s: %s", self._url, cause)
        with self._arrived:
            self._arrived.notify_all()


def _over_http(url: str) -> "Fetched":
    from sensos_auth.verifying.fetching import fetch  # noqa: PLC0415 - 10 MB that a verifier with local keys never needs

    return fetch(url)


_instances: "weakref.WeakSet[RemoteJwks]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for instance in _instances:
        instance._after_fork()  # noqa: SLF001 - this module's own


os.register_at_fork(after_in_child=_after_fork_in_child)
