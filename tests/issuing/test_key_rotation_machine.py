"""Whatever is done to the keys, and however much time passes between, exactly one of them signs."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sensos_auth.issuing.key_rotation import keep_keys_current, revoke, rotate
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.issuing.takeover import put_takeover_off
from sensos_auth.model.errors import Conflict
from sensos_auth.model.signing_key import KeyState, SigningKey, active_key
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.verifiers import VerifierReport, record_verifiers
from tests.issuing.deployment import MASTER_KEY
from tests.registries import Clock, Place

_D = 86_400


class Rotation(RuleBasedStateMachine):
    """Rotate, rotate immediately, put a takeover off, revoke and let time pass, in any order."""

    def __init__(self) -> None:
        """Begin with the first key."""
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.place = Place("sqlite", str(self.folder / "registry.sqlite3"), self.clock)
        self.registry = self.place.open()
        # Power loss is not what is tested here.
        with self.registry.view() as view:
            connection = view.connection
        connection.pragma("synchronous", "off")
        keep_keys_current(self.registry, MASTER_KEY, "ES256")
        self.keyring = Keyring(KeysInRegistry(self.registry), MASTER_KEY)

    def keys(self) -> list[SigningKey]:
        """Return the keys as the registry has them."""
        with self.registry.view() as view:
            return list_signing_keys(view)

    @rule()
    def keep(self) -> None:
        """What each worker does by itself."""
        keep_keys_current(self.registry, MASTER_KEY, "ES256")

    @rule(live_for=st.sampled_from([20, 2 * _D]))
    def put_off(self, live_for: int) -> None:
        """What each worker does by itself, where a verifier says that it holds none of these keys."""
        now = self.clock.milliseconds
        report = VerifierReport("app_a", "late", "ten_a", 0, ("another",), now, now + live_for * 1000)
        with self.registry.observation() as view:
            record_verifiers(view, [report])
        put_takeover_off(self.registry)

    @rule()
    def rotate(self) -> None:
        """``keys rotate``."""
        rotation_is_under_way = any(key.state(self.clock.seconds()) is KeyState.UPCOMING for key in self.keys())
        try:
            rotate(self.registry, MASTER_KEY, "ES256", actor="me", immediately=False)
        except Conflict:
            assert rotation_is_under_way
        else:
            assert not rotation_is_under_way

    @rule()
    def rotate_immediately(self) -> None:
        """``keys rotate --immediately``."""
        before = active_key(self.keys(), self.clock.seconds())
        after = rotate(self.registry, MASTER_KEY, "ES256", actor="me", immediately=True)
        assert before is not None
        assert after.kid != before.kid

    @precondition(lambda self: any(key.revoked_at is None for key in self.keys()))
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        """``keys revoke`` of any key."""
        key = data.draw(st.sampled_from([key for key in self.keys() if key.revoked_at is None]))
        revoke(self.registry, MASTER_KEY, "ES256", key.kid, actor="me")

    @rule(seconds=st.sampled_from([1, 3600, _D, 2 * _D - 60, 2 * _D - 1, 2 * _D, 28 * _D, 30 * _D, 400 * _D]))
    def let_time_pass(self, seconds: int) -> None:
        """From a second to a year, with nobody there."""
        self.clock.advance(seconds)

    @invariant()
    def exactly_one_key_is_active(self) -> None:
        """Now, and at every instant at which something changes by itself, if nobody touches anything more."""
        keys, now = self.keys(), self.clock.seconds()
        instants = {now} | {
            instant
            for key in keys
            for end in (key.signs_from, key.signs_until)
            if end is not None
            for instant in (end - 1, end)
            if instant > now
        }
        for instant in instants:
            states = [key.state(instant) for key in keys]
            assert states.count(KeyState.ACTIVE) == 1
            active = active_key(keys, instant)
            assert active is not None
            assert active.state(instant) is KeyState.ACTIVE
            assert active.has_private_key
            assert active.is_published(instant)

    @invariant()
    def worker_signs_with_the_active_key(self) -> None:
        """A worker that has been running all the time agrees, and its JWKS has the key."""
        now = self.clock.seconds()
        active = active_key(self.keys(), now)
        assert active is not None
        assert self.keyring.current_signer(now).kid == active.kid
        published = self.keyring.jwks(now)
        assert active.kid.encode() in published
        assert not any(key.kid.encode() in published for key in self.keys() if key.revoked_at is not None)

    @invariant()
    def at_most_one_key_is_upcoming_and_revoked_ones_are_erased(self) -> None:
        """There is never a queue, and what never signs again has no private half once it is revoked."""
        keys, now = self.keys(), self.clock.seconds()
        assert sum(key.state(now) is KeyState.UPCOMING for key in keys) <= 1
        assert not any(key.has_private_key for key in keys if key.revoked_at is not None)

    def teardown(self) -> None:
        """Close and delete the registry."""
        self.place.close()
        shutil.rmtree(self.folder)


TestRotation = Rotation.TestCase
TestRotation.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
