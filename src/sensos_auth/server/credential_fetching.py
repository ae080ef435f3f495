"""Credentials that are not held in memory are read from PostgreSQL: by one thread, as many at once as are asked for."""

import asyncio
import queue
import threading
from contextlib import suppress
from typing import NamedTuple

from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry.credential_questions import CredentialQuestions
from sensos_auth.registry.credentials import ReadTogether
from sensos_auth.registry.held_credentials import HeldCredentials
from sensos_auth.registry.lease import LEASE
from sensos_auth.server.outage import Outage
from sensos_auth.verifying.boot_clock import seconds_since_boot

# Seconds after which a request is told to come again: a lease for the question before, and one for its own. An answer
# that took longer is of no use.
_LONGEST_WAIT = 2 * LEASE
# Digests of one question, and of those that wait.
_MOST_AT_ONCE = 500
_MOST_WAITING = 5_000
_UNAVAILABLE = "the registry cannot be read right now"


class _Answer(NamedTuple):
    digests: list[bytes]
    asked_at: float
    read: ReadTogether | None


class CredentialFetching:
    """Fetches for the event loop what it then finds in ``held``, from the PostgreSQL database at ``url``."""

    def __init__(self, url: str, held: HeldCredentials) -> None:
        self._questions = CredentialQuestions(url)
        self._held = held
        self._asked: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # One question for each digest, however many requests wait for its answer.
        self._waiting: dict[bytes, asyncio.Future[bool]] = {}
        self._outage = Outage("credentials could not be read", "credentials read again")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="credentials", daemon=True)

    def start(self) -> None:
        """Begin, for the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self, timeout: float = 3.0) -> None:
        """End, waiting at most ``timeout`` seconds for what is under way."""
        self._asked.put(None)
        self._thread.join(timeout)

    async def fetch(self, digest: bytes) -> None:
        """Return once the secret with this digest was looked up, and what was found is held.

        Raises RegistryUnavailable when it can't be read within half a second, or too many wait already.
        """
        waiting = self._waiting.get(digest)
        if waiting is None:
            if len(self._waiting) >= _MOST_WAITING:
                raise RegistryUnavailable(_UNAVAILABLE)
            waiting = self._waiting[digest] = asyncio.get_running_loop().create_future()
            self._asked.put(digest)
        # Not cancelled with one of those who wait for it.
        done, _ = await asyncio.wait((waiting,), timeout=_LONGEST_WAIT)
        if not done or not waiting.result():
            raise RegistryUnavailable(_UNAVAILABLE)

    def _run(self) -> None:
        while (digest := self._asked.get()) is not None:
            digests = [digest]
            with suppress(queue.Empty):
                while len(digests) < _MOST_AT_ONCE:
                    digest = self._asked.get_nowait()
                    if digest is None:
                        self._asked.put(None)
                        break
                    digests.append(digest)
            asked_at = seconds_since_boot()
            self._answer(_Answer(digests, asked_at, self._read(digests)))
        self._questions.close()

    def _read(self, digests: list[bytes]) -> ReadTogether | None:
        try:
            read = self._questions.ask(digests)
        except RegistryUnavailable:
            return None  # the follower's log lines tell of it
        except Exception as error:  # noqa: BLE001 - the thread must live on: who asked is told
            self._outage.tell(error)
            return None
        self._outage.is_over()
        return read

    def _answer(self, answer: _Answer) -> None:
        def settle() -> None:
            if answer.read is not None:
                for digest, credential in zip(answer.digests, answer.read.credentials, strict=True):
                    self._held.keep(digest, credential, answer.read.version, answer.asked_at)
            for digest in answer.digests:
                self._waiting.pop(digest).set_result(answer.read is not None)

        assert self._loop is not None
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(settle)
