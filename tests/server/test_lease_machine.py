"""In whatever order a node's threads, the registry and time take turns, nobody gets by what was so a lease ago."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sensos_auth.model.application_secret import digest
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry import Change, Registry, View, held_credentials, lease
from sensos_auth.registry.applications import change_application, create_application
from sensos_auth.registry.credentials import Credential, NotHeld, find_credential
from sensos_auth.registry.following import Standing
from sensos_auth.registry.held_credentials import HeldCredentials
from sensos_auth.registry.lease import LEASE
from sensos_auth.registry.secrets import change_secret, create_secret
from sensos_auth.registry.tenants import change_tenant, create_tenant
from sensos_auth.server import registry_follower
from sensos_auth.server.registry_follower import FollowedRegistry
from tests.registries import Clock, Place
from tests.registry.interleaving import OtherThread, SharedLease

# Seconds: an eighth of a lease, so that sums are exact.
_TICK = LEASE / 8
_MOST_HELD = 2
_MOST_UNKNOWN = 2
_MOST_SUBJECTS = 10
_MOST_EVENTS = 6
_UNKNOWN_AT_FIRST = b"\1" * 32
_TICKS = st.integers(0, 4)
_STANDING = (
    "SELECT version, signing_keys_version, revocations_version,"
    " (SELECT COALESCE(MAX(version), 0) FROM audit_events), audit_hash, oldest_program FROM clock"
)


class _Question(NamedTuple):
    """When the credentials were asked for, and what was read: the version and them."""

    asked_at: float
    read: tuple[int, list[Credential | None]] | None


class _State(NamedTuple):
    """What was so of each digest, from which version, and from when."""

    version: int
    since: float
    credentials: dict[bytes, Credential | None]


class _Follower:
    """What a node follows, over SQLite: each question is answered as of some moment, and the answer comes later."""

    def __init__(self, registry: Registry, clock: Clock, point: Callable[[], None]) -> None:
        self._registry = registry
        self._clock = clock
        self._point = point
        self.has_answered = False

    def standing(self) -> Standing:
        self._point()
        with self._registry.view() as view:
            ((*row,),) = view.connection.execute(_STANDING).fetchall()
        self.has_answered = True
        self._point()
        self.has_answered = False
        return Standing._make((*row, self._clock.seconds()))

    @contextmanager
    def view(self, _now: int) -> Iterator[View]:
        self._point()
        with self._registry.view() as view:
            yield view
        self._point()


class Node(RuleBasedStateMachine):
    """A registry that is changed, and a node: its follower's thread, its event loop, and its reading of credentials.

    The follower and what it does are the product's, in a thread of its own, which stops wherever it reads the registry
    or touches what both threads share.
    """

    def __init__(self) -> None:
        """Begin with a tenant, an application and two secrets, one of which is made later."""
        super().__init__()
        self.now = 1000.0
        self.patches = pytest.MonkeyPatch()
        self.patches.setattr(lease, "_MOST_SUBJECTS", _MOST_SUBJECTS)
        self.patches.setattr(held_credentials, "MOST_UNKNOWN", _MOST_UNKNOWN)
        self.patches.setattr(registry_follower, "_MOST_EVENTS", _MOST_EVENTS)
        self.patches.setattr(registry_follower, "seconds_since_boot", lambda: self.now)
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.place = Place("sqlite", str(self.folder / "registry.sqlite3"), self.clock)
        self.registry = self._open()
        self.digests = [bytes(32), _UNKNOWN_AT_FIRST]
        self.has_both = False
        with self.registry.change("me") as change:
            self.tenant_id = create_tenant(change, name="Acme").tenant_id
            self.application_id = create_application(change, tenant_id=self.tenant_id, name="a").application_id
            self.secret_id = self.make_secret(change, self.digests[0])
        self.states: list[_State] = []
        self.note_state(change.version)
        self.question: _Question | None = None
        self.plan: list[str] = []
        self.is_lost = False
        self.followed = FollowedRegistry("", "https://auth.example", self._open, self.clock.seconds)
        self.followed.lease = SharedLease(self.between)
        self.held = HeldCredentials(self.followed.lease, self.read_clock, most=_MOST_HELD)
        self.other = OtherThread(self.look)
        self.follower = _Follower(self._open(), self.clock, self.answered)

    def _open(self) -> Registry:
        registry = self.place.open()
        with registry.view() as view:
            connection = view.connection
        connection.pragma("synchronous", "off")  # power loss is not what is tested here
        return registry

    # What the follower's thread does

    def look(self) -> None:
        """Look once at the registry, as the product does."""
        with suppress(RegistryUnavailable):
            self.followed._look(self.follower)  # type: ignore[arg-type]

    def answered(self) -> None:
        """Stop where the registry is asked, or has answered; or lose the connection there."""
        self.other.point()
        if self.is_lost:
            raise RegistryUnavailable("lost")

    # Where the threads may take turns

    def between(self) -> None:
        """Let the event loop go on before the follower uses the lease; or the reverse, as this run has planned it."""
        if self.other.is_this_one():
            self.other.point()
        elif self.plan:
            self.carry_out(self.plan.pop())

    def read_clock(self) -> float:
        """Return the time, after what was planned to come before."""
        self.between()
        return self.now

    def carry_out(self, step: str) -> None:
        """Do something in the middle of something else."""
        plan, self.plan = self.plan, []
        if "change" in step:
            self.change("application")
        if "follow" in step:
            self.follow()
        if "stop" in step:
            self.pass_time(8)
        self.plan = plan

    # What happens

    def note_state(self, version: int) -> None:
        """Remember how things stand."""
        with self.registry.view() as view:
            found = {each: find_credential(view, each) for each in self.digests}
        stripped = {each: None if one is None else _without_versions(one) for each, one in found.items()}
        self.states.append(_State(version, self.now, stripped))

    @rule(what=st.sampled_from(["application", "tenant", "secret", "makes another"]), ticks=_TICKS)
    def change(self, what: str, ticks: int = 0) -> None:
        """Change something, so that the credential is another one each time; or make one that was unknown."""
        number = len(self.states)
        with self.registry.change("me") as change:
            if what == "application":
                change_application(change, self.application_id, scope=f"s{number}")
            elif what == "tenant":
                change_tenant(change, self.tenant_id, lifetime=number)
            elif what == "secret" or self.has_both:
                change_secret(change, self.secret_id, expires_at=change.now + number)
            else:
                self.make_secret(change, _UNKNOWN_AT_FIRST)
                self.has_both = True
        self.note_state(change.version)
        self.pass_time(ticks)

    def make_secret(self, change: Change, wanted: bytes) -> str:
        """Make a secret that has this digest, and return its ID."""
        new = create_secret(change, application_id=self.application_id)
        change.connection.execute("UPDATE secrets SET digest = ? WHERE digest = ?", (wanted, digest(new.shown)))
        return new.kept.secret_id

    @rule(count=st.integers(1, _MOST_EVENTS))
    def change_others(self, count: int) -> None:
        """Change what has nothing to do with it."""
        with self.registry.change("me") as change:
            for _ in range(count):
                create_tenant(change, name="other")
        self.note_state(change.version)

    @rule(ticks=_TICKS)
    def pass_time(self, ticks: int) -> None:
        """Let time pass, for whoever waits and whoever was stopped."""
        self.now += ticks * _TICK

    @rule(count=st.integers(1, 4), ticks=_TICKS)
    def step(self, count: int, ticks: int) -> None:
        """Let the follower's thread go on, and stay a while where it comes to."""
        for _ in range(count):
            self.other.step()
        self.pass_time(ticks)

    @rule()
    def follow(self) -> None:
        """Let the follower's thread get through what it is at, and through another look."""
        turns = self.other.turns + 2
        while self.other.turns < turns:
            self.other.step()

    @rule(ticks=_TICKS)
    def change_behind_an_answer(self, ticks: int) -> None:
        """The registry has answered the follower, and is changed before the answer comes, which takes a while."""
        while not self.follower.has_answered:
            self.other.step()
        self.change("application", ticks)
        turns = self.other.turns + 1
        while self.other.turns < turns:
            self.other.step()

    @rule()
    def lose_connection(self) -> None:
        """Let whatever the follower asks next fail."""
        self.is_lost = True
        self.follow()
        self.is_lost = False

    @rule(ticks=_TICKS)
    def read_on(self, ticks: int = 0) -> None:
        """Begin to read the credentials; or have them read, as of now; or let the event loop have what was read."""
        if self.question is None:
            self.question = _Question(self.now, None)
        elif self.question.read is None:
            with self.registry.view() as view:
                version, *_ = view.statements.clock(view.connection)
                found = [find_credential(view, each) for each in self.digests]
            self.question = self.question._replace(read=(version, found))
        else:
            version, found = self.question.read
            for each, credential in zip(self.digests, found, strict=True):
                self.held.keep(each, credential, version, self.question.asked_at)
            self.question = None
        self.pass_time(ticks)

    @rule()
    def read_and_find(self) -> None:
        """What was read this very moment is good enough, whatever the follower is at."""
        while self.question is not None:
            self.read_on()
        for _ in range(3):
            self.read_on()
        assert all(self.is_found(each, []) for each in self.digests)

    @rule(
        plan=st.lists(
            st.sampled_from(["nothing", "change", "follow", "change, follow", "stop"]), min_size=1, max_size=4
        )
    )
    def find(self, plan: list[str]) -> None:
        """Find a credential for a request, sign, and look at it again; the other thread and time come in between."""
        self.is_found(self.digests[0], plan)

    @invariant()
    def nobody_gets_by_what_was_before(self) -> None:
        """Whoever comes now, or within the next lease and a bit, if until then the node hears nothing more.

        Nor whoever comes now, and is stopped for as long.
        """
        now = self.now
        for each in self.digests:
            for ticks in range(10):
                self.now = now + ticks * _TICK
                self.is_found(each, [])
                self.now = now
                self.is_found(each, [], stopped_for=ticks)
                self.now = now

    def is_found(self, asked: bytes, plan: list[str], *, stopped_for: int = 0) -> bool:
        """Find it, and tell whether it was held; ``stopped_for`` are the ticks that pass while it is signed."""
        noted = self.followed.lease._confirmed.version  # type: ignore[attr-defined]
        self.plan = plan[::-1]
        try:
            found = self.held.find(asked)
            self.now += stopped_for * _TICK
            self.held.check_still_good()
        except NotHeld:
            return False
        finally:
            self.plan = []
        self.check(asked, found, noted)
        return True

    # What must be so

    def check(self, asked: bytes, found: Credential | None, noted: int) -> None:
        """Nothing that ended a lease ago, nothing that the node knew to have ended, and the version tells the truth."""
        shown = None if found is None else _without_versions(found)
        ends = [*(state.since for state in self.states[1:]), float("inf")]
        first = max(number for number, state in enumerate(self.states) if number == 0 or state.version <= noted)
        assert any(
            state.credentials[asked] == shown and ends_at + LEASE > self.now and number >= first
            for number, (state, ends_at) in enumerate(zip(self.states, ends, strict=True))
        ), "by what was before"
        if found is not None:
            of_version = [state for state in self.states if state.version <= found.version][-1]
            assert of_version.credentials[asked] == shown, "the version is of another state"

    @invariant()
    def memory_is_bounded(self) -> None:
        """No more is held, and no more changes are told apart, than was said."""
        for recent, most in ((self.held._known, _MOST_HELD), (self.held._unknown, _MOST_UNKNOWN)):
            assert len(recent._younger) + len(recent._older) <= most
        assert len(self.followed.lease._changes[1]) <= _MOST_SUBJECTS

    def teardown(self) -> None:
        """End the thread."""
        self.other.end()
        self.patches.undo()
        self.place.close()
        shutil.rmtree(self.folder)


def _without_versions(credential: Credential) -> Credential:
    return credential._replace(version=0, signing_keys_version=0)


TestNode = Node.TestCase
TestNode.settings = settings(max_examples=120, stateful_step_count=60, deadline=None)
