"""The verdicts on tokens that were good when they were checked, so that the next check of each takes a microsecond.

Two generations: what is new or in use is in the young one. When that is full it becomes the old one, and the old one,
with all that was not used in the meantime, is dropped. Looking up takes no lock: each step is one operation of a
dictionary, and whoever meets the exchange of the generations at worst checks a token once more.
"""

import os
import weakref
from threading import Lock

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.keys import VerificationKey

BYTES_PER_VERDICT = 1024  # on average; larger ones take the room of several
_OVERHEAD = 512  # bytes of a verdict besides its payload, with a few scopes, rounded up
_FEW_SCOPES = 8
_BYTES_PER_SCOPE = 160  # its text, and its place in the set; verdicts whose scopes are shared take less


class Verdict:
    """That a token is good: whose it is, which key verified it, and what else must still be so.

    Good from ``begins_at`` (UTC seconds) on until the caller's ``expires_at``; not revoked at ``generation``.
    """

    __slots__ = ("begins_at", "caller", "expires_at", "generation", "key", "kid")

    def __init__(self, caller: Caller, key: VerificationKey, begins_at: int, generation: int) -> None:
        self.caller = caller
        self.key = key
        self.kid = key.kid
        self.begins_at = begins_at
        self.expires_at = caller.expires_at
        self.generation = generation


class Verdicts:
    """Up to ``size`` verdicts and ``size`` KiB, by the digests of their tokens. Raises ConfigurationError below 2."""

    def __init__(self, size: int) -> None:
        if size < 2:  # noqa: PLR2004 - one for each generation
            raise ConfigurationError("a verifier remembers at least 2 verdicts")
        self._most = size // 2
        self._most_bytes = self._most * BYTES_PER_VERDICT
        self._young: dict[bytes, Verdict] = {}
        self._young_bytes = 0
        self._old: dict[bytes, Verdict] = {}
        self._lock = Lock()
        _instances.add(self)

    def get(self, digest: bytes) -> Verdict | None:
        """Return the verdict on the token with the digest, if there is one."""
        verdict = self._young.get(digest)
        if verdict is None:
            verdict = self._old.get(digest)
            if verdict is not None:
                self.put(digest, verdict)
        return verdict

    def put(self, digest: bytes, verdict: Verdict) -> None:
        """Remember the verdict, unless another thread is remembering one in this instant."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            size = _size_of(verdict.caller)
            if len(self._young) >= self._most or self._young_bytes + size > self._most_bytes:
                self._old = self._young
                self._young = {}
                self._young_bytes = 0
            self._young[digest] = verdict
            self._young_bytes += size
        finally:
            self._lock.release()

    def _after_fork(self) -> None:
        self._lock = Lock()


def _size_of(caller: Caller) -> int:
    return len(caller.payload) + _OVERHEAD + max(0, len(caller.scopes) - _FEW_SCOPES) * _BYTES_PER_SCOPE


_instances: "weakref.WeakSet[Verdicts]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for instance in _instances:
        instance._after_fork()  # noqa: SLF001 - this module's own


os.register_at_fork(after_in_child=_after_fork_in_child)
