"""What a node on PostgreSQL knows of the registry: a thread asks for news, and keeps it in memory for the event loop.

It confirms the registry version several times within a lease, and learns of a change within milliseconds. Signing keys
and revocations are read as soon as they change. Credentials are not read here: those that changed are only named.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from itertools import count

import structlog

from sensos_auth.issuing.stored_keys import StoredKeys, read_stored_keys
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.model.revocation import Provenance
from sensos_auth.registry import Registry
from sensos_auth.registry.audit import AuditEvent, audit_head_at, events_page
from sensos_auth.registry.following import RegistryFollower, Standing
from sensos_auth.registry.held_credentials import NEW_SECRETS
from sensos_auth.registry.lease import LEASE, Confirmed, Lease
from sensos_auth.registry.lost_tail import take_away_again
from sensos_auth.registry.program_age import ProgramTooOld
from sensos_auth.registry.revocations import revocation_page
from sensos_auth.registry.server_clock import MOST_DIFFERENCE
from sensos_auth.server.outage import Outage
from sensos_auth.verifying import RevocationsUnavailable
from sensos_auth.verifying.boot_clock import seconds_since_boot
from sensos_auth.verifying.revocation_state import RevocationState

# Seconds between two questions: three of them within a lease, so that one may be late.
_ASKS_EVERY = LEASE / 3
# Seconds before it connects anew, drawn anew each time: nodes that lost the server together don't come back together.
_SOONEST, _LATEST = 0.1, 0.5
# Seconds without an answer after which this node is not ready, and after which nobody waits here for news. Not ready
# first, by more than the pause between two questions of a balancer: a verifier that is sent away comes back at once,
# and must not be led here again.
_SILENCE = 2 * LEASE
_NO_NEWS = 3 * LEASE
# Seconds without hearing of the revocations for which this node still verifies tokens by those that it holds.
_VERIFIES_FOR = 300.0
# Seconds after which a program that has become too old looks again: a backup may have been restored.
_TOO_OLD_FOR = 2.0
# Changes that are named one by one.
_MOST_EVENTS = 1_000
_END_OF_VERSION = (1 << 63) - 1
# Questions between two looks for revocations that have ended: about a minute.
_FORGETS_EVERY = 700


class HeldKeys:
    """The signing keys as they were read last: a key store for the event loop's keyring.

    ``refusal`` is why they can't be gone by, whatever was read; None while they can.
    """

    def __init__(self) -> None:
        self.stored: StoredKeys | None = None
        self.refusal: str | None = None

    def version(self) -> int:
        """Return the version of the last change to them that was heard of; raises RegistryUnavailable as below."""
        return self.read().version

    def read(self) -> StoredKeys:
        """Return them; raises RegistryUnavailable before they were read for the first time, and for a refusal."""
        if self.refusal is not None:
            raise RegistryUnavailable(self.refusal)
        if self.stored is None:
            raise RegistryUnavailable("the signing keys have not been read yet")
        return self.stored


class HeldRevocations:
    """The revocations as they were heard of last, for the service's own verifier.

    ``heard_at`` is as of when they are all, in seconds since boot.
    """

    def __init__(self) -> None:
        self.state = RevocationState()
        self.heard_at = float("-inf")

    @property
    def are_whole(self) -> bool:
        """Whether all were read once."""
        return self.heard_at > float("-inf")

    def generation(self) -> int:
        """Return a number that changes with each revocation.

        Raises RevocationsUnavailable before all were read, and when nothing was heard for five minutes: what was
        revoked meanwhile is not known here.
        """
        if not self.are_whole:
            raise RevocationsUnavailable("the revocations have not been read yet")
        if seconds_since_boot() - self.heard_at > _VERIFIES_FOR:
            raise RevocationsUnavailable("the registry has been out of reach for too long to verify without it")
        return self.state.generation

    def voids(self, token: Provenance) -> bool:
        """Tell whether the token is void, by what has been heard so far."""
        return self.state.voids(token)


class FollowedRegistry:
    """The thread, and what it keeps.

    ``open_registry`` is called in the thread, when something has to be changed. ``clock`` returns UTC seconds.
    """

    def __init__(
        self, url: str, issuer: str, open_registry: Callable[[], Registry], clock: Callable[[], float] = time.time
    ) -> None:
        self.lease = Lease()
        self.keys = HeldKeys()
        self.revocations = HeldRevocations()
        self._url = url
        self._issuer = issuer
        self._clock = clock
        self._open_registry = open_registry
        self._last: Standing | None = None
        self._seen: deque[AuditEvent] = deque(maxlen=_MOST_EVENTS)
        self._heard_at = float("-inf")
        self._skew = 0.0
        self._outage = Outage(
            "registry out of reach", "registry reached again", defect="registry could not be followed"
        )
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registry follower", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, timeout: float = 3.0) -> None:
        """End, waiting at most ``timeout`` seconds for what is under way."""
        self._ended.set()
        self._thread.join(timeout)

    def check_ready(self) -> None:
        """Raise RegistryUnavailable when the registry has been silent for two leases, or the clocks differ by 5 s.

        Also when this program has become too old for it.
        """
        if self.keys.refusal is not None:
            raise RegistryUnavailable(self.keys.refusal)
        if seconds_since_boot() - self._heard_at > _SILENCE:
            raise RegistryUnavailable("the registry is out of reach")
        if abs(self._skew) > MOST_DIFFERENCE:
            raise RegistryUnavailable("the clock of this machine differs from the registry's by more than 5 s: set it")

    def version(self) -> int:
        """Return the registry version that was heard of last, 0 before the first.

        Raises RegistryUnavailable when nothing was heard for three leases: others may know of a change by now.
        """
        if 0 < self._heard_at < seconds_since_boot() - _NO_NEWS:
            raise RegistryUnavailable("the registry is out of reach")
        return self.lease.confirmed.version

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with RegistryFollower(self._url) as follower:
                    self._follow(follower)
            except ProgramTooOld as error:
                self._refuse(str(error))
                self._ended.wait(_TOO_OLD_FOR)
            except Exception as error:  # noqa: BLE001 - the thread must live on; what it held runs out by itself
                self._outage.tell(error)
                self._ended.wait(random.uniform(_SOONEST, _LATEST))  # noqa: S311 - no secret

    def _follow(self, follower: RegistryFollower) -> None:
        for number in count():
            if self._ended.is_set():
                return
            is_all = self._look(follower)
            self._outage.is_over()
            self._refuse_no_longer()
            if number % _FORGETS_EVERY == 0:
                state = self.revocations.state
                state.forget_ended(min(state.as_of, self._clock()))
            if is_all:
                follower.wait(_ASKS_EVERY)

    def _refuse(self, reason: str) -> None:
        """Let nothing more be issued, verified or published: what is held is out of date soon, and not read anew."""
        if self.keys.refusal is None:
            structlog.get_logger().error("program too old for the registry", reason=reason)
        self.keys.refusal = reason

    def _refuse_no_longer(self) -> None:
        if self.keys.refusal is not None:
            self.keys.refusal = None
            structlog.get_logger().info("program works on the registry again")

    def _look(self, follower: RegistryFollower) -> bool:
        """Ask for news, take them in, and extend the lease; tell whether that was all."""
        asked_at = seconds_since_boot()
        standing = follower.standing()
        self._note_clock(standing)
        if self._last is None or standing[:-1] != self._last[:-1]:
            if not self._hear(follower, standing):
                return False
            self._last = standing
        self.lease.confirm(Confirmed(standing.version, standing.signing_keys_version, asked_at + LEASE))
        # Silence begins with an answer, not with its question: a database that is slow, but answers, is not silent.
        self._heard_at = seconds_since_boot()
        if not self._read_revocations(follower, standing):
            return False
        self._heard_at = seconds_since_boot()
        self.revocations.heard_at = asked_at
        return True

    def _hear(self, follower: RegistryFollower, standing: Standing) -> bool:
        """Take in what has changed; return False when the registry went back, and has to be looked at anew."""
        last = self._last
        with follower.view(int(self._clock())) as view:
            if self.keys.stored is None or self.keys.stored.version != standing.signing_keys_version:
                self.keys.stored = read_stored_keys(view)
            # The last event that is known must still be there.
            goes_on = last is None or audit_head_at(view, last.event_version) == last.audit_hash
            known_version = standing.event_version - 1 if last is None else last.event_version
            events = events_page(view, after=(known_version, _END_OF_VERSION), limit=_MOST_EVENTS)
            if goes_on and len(events) == _MOST_EVENTS:
                last = None  # too many to tell them apart
                events = events_page(view, after=(standing.event_version - 1, _END_OF_VERSION), limit=_MOST_EVENTS)
        if last is None:
            self._seen.clear()
            self.lease.note_changes_everywhere(standing.version)
        elif not goes_on:
            self._recover(standing, last)
            return False
        self._take_in(events)
        return True

    def _take_in(self, events: list[AuditEvent]) -> None:
        known = (self._seen[-1].version, self._seen[-1].position) if self._seen else (0, 0)
        for event in events:
            if (event.version, event.position) > known:
                self._seen.append(event)
            if event.action.startswith("secret."):
                self.lease.note_change(NEW_SECRETS, event.version)
            self.lease.note_change(event.subject, event.version)

    def _recover(self, standing: Standing, last: Standing) -> None:
        """Have what the registry lost taken away again, and begin anew. Until that is done, nothing is confirmed."""
        log = structlog.get_logger()
        log.error("registry went back", had=last.version, has=standing.version)
        self.lease.note_changes_everywhere(max(standing.version, last.version) + 1)
        with closing(self._open_registry()) as registry:
            done = take_away_again(registry, list(self._seen))
        if done is not None:
            log.error("lost changes taken away again", events=done.events, issuing_is_locked=done.is_locked)
        self._last = None

    def _read_revocations(self, follower: RegistryFollower, standing: Standing) -> bool:
        held = self.revocations
        if held.are_whole and held.state.version >= standing.revocations_version:
            return True
        with follower.view(int(self._clock())) as view:
            page = revocation_page(view, self._issuer, held.state.version)
        held.state.apply(page)
        return not page.more

    def _note_clock(self, standing: Standing) -> None:
        skew = self._clock() - standing.now
        if (abs(skew) > MOST_DIFFERENCE) != (abs(self._skew) > MOST_DIFFERENCE):
            log = structlog.get_logger()
            if abs(skew) > MOST_DIFFERENCE:
                log.error("clock differs from the registry's", seconds=round(skew, 1))
            else:
                log.info("clock agrees with the registry's again")
        self._skew = skew
