"""Restoring: what was taken away after the backup stays away, and nothing that was ever given is given again."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from sensos_auth.issuing.key_rotation import keep_keys_current, revoke, rotate
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.model.errors import Conflict, InvalidInput, NotFound, RegistryUnavailable
from sensos_auth.model.revocation import RevocationKind
from sensos_auth.model.signing_key import KeyState
from sensos_auth.registry import Change, Registry
from sensos_auth.registry.applications import (
    change_application,
    create_application,
    delete_application,
    disable_application,
    enable_application,
    get_application,
    void_tokens_of_application,
)
from sensos_auth.registry.audit import audit_head, list_events
from sensos_auth.registry.audit_export import ExportedEvent, export_line, parse_line
from sensos_auth.registry.audit_verification import holds_head, verify_trail
from sensos_auth.registry.backup import back_up
from sensos_auth.registry.feed_evidence import apply_feed
from sensos_auth.registry.issuing_lock import issuing_locked_at, lock_issuing, unknown_window, unlock_issuing
from sensos_auth.registry.migrating import known_migrations, migrate
from sensos_auth.registry.replay import replay
from sensos_auth.registry.restoring import Evidence, Restored, restore
from sensos_auth.registry.revocations import find_revocation, registry_version, revocation_page, revoke_token
from sensos_auth.registry.secrets import change_secret, create_secret, get_secret, revoke_secret, rotate_secret
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.registry.tenant_deletion import delete_tenant
from sensos_auth.registry.tenants import create_tenant, disable_tenant, enable_tenant, get_tenant
from sensos_auth.registry.usage import use_of_secret
from tests.registries import Clock

_MASTER_KEY = MasterKey(bytes(range(32)))
_ISSUER = "https://auth.example.com"


@dataclass
class Restoring:
    """A registry, its backup, and a place to restore it to."""

    folder: Path
    clock: Clock
    registry: Registry
    places: int = 0

    @contextmanager
    def change(self) -> Iterator[Change]:
        """Change the registry a second later."""
        self.clock.advance(1)
        with self.registry.change("test:me") as change:
            yield change

    def back_up(self) -> None:
        """Take the backup."""
        back_up(self.folder / "old" / "registry.sqlite3", self.folder / "backup.sqlite3")

    def journal(self) -> list[ExportedEvent]:
        """Export the whole trail."""
        with self.registry.view() as view:
            return [parse_line(export_line(event), "here") for event in list_events(view)]

    def restore(self, evidence: Evidence | None = None) -> tuple[Restored, Registry]:
        """Restore to another place, and open what is there."""
        self.places += 1
        target = self.folder / f"new {self.places}" / "registry.sqlite3"
        restored = restore(
            self.folder / "backup.sqlite3",
            target,
            Evidence() if evidence is None else evidence,
            replace=False,
            check=lambda _: None,
            clock=self.clock,
        )
        database = SqliteDatabase(target)
        return restored, Registry(database, self.clock)


@pytest.fixture
def restoring(tmp_path: Path, clock: Clock) -> Iterator[Restoring]:
    """Return a fresh registry with a signing key."""
    database = SqliteDatabase(tmp_path / "old" / "registry.sqlite3")
    migrate(database, clock.seconds())
    registry = Registry(database, clock)
    keep_keys_current(registry, _MASTER_KEY, "ES256")
    yield Restoring(tmp_path, clock, registry)
    registry.close()


def _states(registry: Registry) -> list[KeyState]:
    with registry.view() as view:
        return [key.state(view.now) for key in list_signing_keys(view)]


def test_z27_with_a_journal_everything_that_was_taken_away_stays_away(restoring: Restoring) -> None:
    """Disabled, deleted, voided, revoked, rotated away, narrowed: each by the use case, on behalf of the restore."""
    with restoring.change() as change:
        tenants = [create_tenant(change, name=str(number)).tenant_id for number in range(3)]
        applications = [
            create_application(
                change, tenant_id=tenants[0], name=str(number), scope="a b c", lifetime=900
            ).application_id
            for number in range(6)
        ]
        secrets = [create_secret(change, application_id=applications[0]).kept.secret_id for _ in range(4)]
    restoring.back_up()
    with restoring.change() as change:
        disable_tenant(change, tenants[1])
        delete_tenant(change, tenants[2])
        disable_application(change, applications[1])
        delete_application(change, applications[2])
        void_tokens_of_application(change, applications[3])
        change_application(change, applications[4], scope="a d", lifetime=60)
        disable_application(change, applications[5])
        revoke_secret(change, secrets[0])
        revoke_secret(change, secrets[1], with_tokens=True)
        change_secret(change, secrets[2], expires_at=change.now + 5)
        revoke_token(change, "token", expires_at=change.now + 500)
    with restoring.change() as change:
        rotate_secret(change, application_id=applications[0], old_end_in=1000)
        enable_application(change, applications[5])
    restoring.clock.advance(10)

    restored, registry = restoring.restore(Evidence([restoring.journal()]))

    assert (restored.is_locked, restored.tampered, restored.kept) == (False, 0, None)
    with closing(registry), registry.view() as view:
        assert get_tenant(view, tenants[0]).disabled_at is None
        assert get_tenant(view, tenants[1]).disabled_at is not None
        found = [get_application(view, each) for number, each in enumerate(applications) if number != 2]
        assert [each.disabled_at is not None for each in found] == [False, True, False, False, False]
        assert (found[3].scope, found[3].lifetime) == ("a", 60)
        with pytest.raises(NotFound):
            get_tenant(view, tenants[2])
        with pytest.raises(NotFound):
            get_application(view, applications[2])
        for number in (1, 2, 3, 5):
            assert find_revocation(view, RevocationKind.APPLICATION, applications[number]) is not None
        assert find_revocation(view, RevocationKind.APPLICATION, applications[0]) is None
        kept = [get_secret(view, each) for each in secrets]
        assert [each.revoked_at is not None for each in kept] == [True, True, True, False]
        assert kept[3].expires_at == restoring.clock.seconds() - 10 + 1000
        assert find_revocation(view, RevocationKind.CREDENTIAL, secrets[1]) is not None
        assert find_revocation(view, RevocationKind.TOKEN, "token") is not None
        assert verify_trail(view).findings == []
        actors = {event.actor for event in list_events(view) if event.version > restored.manifest.version}
        assert actors == {"test:me", "system:restore"}
    assert restored.lost == 1  # the rotated secret's successor


def test_what_was_made_after_the_backup_is_lost_and_its_tokens_are_void(restoring: Restoring) -> None:
    """A tenant and an application that the registry does not know any more; the trail still does."""
    restoring.back_up()
    with restoring.change() as change:
        tenant = create_tenant(change, name="new")
        application = create_application(change, tenant_id=tenant.tenant_id, name="new")
        secret = create_secret(change, application_id=application.application_id)
    with restoring.change() as change:
        revoke_secret(change, secret.kept.secret_id, with_tokens=True)
    restored, registry = restoring.restore(Evidence([restoring.journal()]))
    with closing(registry), registry.view() as view:
        assert restored.lost == 3
        assert find_revocation(view, RevocationKind.TENANT, tenant.tenant_id) is not None
        assert find_revocation(view, RevocationKind.APPLICATION, application.application_id) is not None
        assert find_revocation(view, RevocationKind.CREDENTIAL, secret.kept.secret_id) is not None
        lost = [event.subject for event in list_events(view) if event.action.endswith(".lost")]
        assert lost == [tenant.tenant_id, application.application_id, secret.kept.secret_id]


@pytest.mark.parametrize("how", ["rotated", "revoked", "rotation scheduled", "rotation cancelled"])
def test_z27_a_key_that_was_retired_never_signs_again(restoring: Restoring, how: str) -> None:
    """Rotated away or revoked after the backup, it does not sign; one that only would have been, signs on."""
    (old,) = _kids(restoring.registry)
    new = ""
    if how == "rotation cancelled":
        new = rotate(restoring.registry, _MASTER_KEY, "ES256", actor="test:me", immediately=False).kid
    restoring.back_up()
    restoring.clock.advance(5)
    if how == "rotated":
        rotate(restoring.registry, _MASTER_KEY, "ES256", actor="test:me", immediately=True)
    elif how == "revoked":
        revoke(restoring.registry, _MASTER_KEY, "ES256", old, actor="test:me")
    elif how == "rotation scheduled":
        rotate(restoring.registry, _MASTER_KEY, "ES256", actor="test:me", immediately=False)
    else:
        revoke(restoring.registry, _MASTER_KEY, "ES256", new, actor="test:me")
    restoring.clock.advance(5)
    _, registry = restoring.restore(Evidence([restoring.journal()]))
    with closing(registry):
        keep_keys_current(registry, _MASTER_KEY, "ES256")
        expected = {
            "rotated": [KeyState.RETIRING, KeyState.ACTIVE],
            "revoked": [KeyState.REVOKED, KeyState.ACTIVE],
            "rotation scheduled": [KeyState.ACTIVE],
            "rotation cancelled": [KeyState.ACTIVE, KeyState.REVOKED],
        }
        assert _states(registry) == expected[how]
        signer = Keyring(KeysInRegistry(registry), _MASTER_KEY).current_signer(restoring.clock.seconds())
        assert (signer.kid == old) is (how not in {"rotated", "revoked"})


def _kids(registry: Registry) -> list[str]:
    with registry.view() as view:
        return [key.kid for key in list_signing_keys(view)]


def test_the_trail_goes_on_as_the_journal_says(restoring: Restoring) -> None:
    """Every event of the time after the backup is in it, so that a head that was written down is found."""
    restoring.back_up()
    with restoring.change() as change:
        create_tenant(change, name="new")
    with restoring.registry.view() as view:
        before, head = list_events(view), audit_head(view)
    assert head is not None
    restored, registry = restoring.restore(Evidence([restoring.journal()]))
    with closing(registry), registry.view() as view:
        assert list_events(view)[: len(before)] == before
        assert holds_head(view, head) is not None
        assert verify_trail(view).findings == []
        assert registry_version(view) == restored.version > before[-1].version


def test_without_evidence_issuing_is_locked_until_somebody_confirms_the_window(restoring: Restoring) -> None:
    """No worker signs, the public keys stay; then all is as before, and the trail says who confirmed."""
    restoring.back_up()
    restored, registry = restoring.restore()
    keyring = Keyring(KeysInRegistry(registry), _MASTER_KEY)
    now = restoring.clock.seconds()
    with closing(registry):
        assert restored.is_locked
        with pytest.raises(RegistryUnavailable, match="issuing unlock"):
            keyring.current_signer(now)
        assert b'"kid"' in keyring.jwks(now)
        with registry.view() as view:
            window = unknown_window(view)
            assert window == (restored.manifest.made_at, issuing_locked_at(view))
        with registry.change("test:operator") as change:
            assert unlock_issuing(change) == window
        keyring.current_signer(now)
        with registry.view() as view:
            assert (list_events(view)[-1].action, list_events(view)[-1].actor) == ("issuing.unlocked", "test:operator")
        with pytest.raises(Conflict, match="not locked"), registry.change("test:operator") as change:
            unlock_issuing(change)


def test_a_journal_that_ends_with_the_backup_tells_nothing(restoring: Restoring) -> None:
    """It may have been cut off there: issuing is locked."""
    restoring.back_up()
    restored, registry = restoring.restore(Evidence([restoring.journal()]))
    registry.close()
    assert restored.is_locked


def test_a_journal_that_does_not_go_on_where_the_backup_ended_is_refused(restoring: Restoring) -> None:
    """With a gap, altered, or of another registry: nothing is restored."""
    restoring.back_up()
    for name in "abc":
        with restoring.change() as change:
            create_tenant(change, name=name)
    journal = restoring.journal()
    forged = [*journal[:-1], ExportedEvent(journal[-1].event._replace(actor="x"), journal[-1].hash)]
    other = [ExportedEvent(journal[-1].event._replace(actor="x"), bytes(32))]
    for bad in (journal[:-2] + journal[-1:], forged, other, journal[2:], journal + other):
        with pytest.raises(InvalidInput, match="journal"):
            restoring.restore(Evidence([bad]))
    assert not list(restoring.folder.glob("new*"))
    restored, registry = restoring.restore(Evidence([journal[1:3], journal[:1], journal[2:]]))
    registry.close()
    assert restored.replayed == 3


def test_z27_what_a_verifier_kept_is_taken_away_and_written_back(restoring: Restoring) -> None:
    """Whatever it names is disabled or revoked; what it does not tell may be missing, so issuing is locked."""
    with restoring.change() as change:
        tenants = [create_tenant(change, name=str(number)).tenant_id for number in range(2)]
        applications = [
            create_application(change, tenant_id=tenants[0], name=str(number)).application_id for number in range(3)
        ]
        secrets = [create_secret(change, application_id=applications[0]).kept.secret_id for _ in range(2)]
        disable_application(change, applications[2])
        enable_application(change, applications[2])
    (kid,) = _kids(restoring.registry)
    restoring.back_up()
    with restoring.change() as change:
        disable_tenant(change, tenants[1])
        disable_application(change, applications[1])
        revoke_secret(change, secrets[0], with_tokens=True)
        revoke_token(change, "token", expires_at=change.now + 500)
    restoring.clock.advance(1)
    revoke(restoring.registry, _MASTER_KEY, "ES256", kid, actor="test:me")
    with restoring.registry.view() as view:
        feed = revocation_page(view, _ISSUER, 0)
    restored, registry = restoring.restore(Evidence(feed=feed))
    assert (restored.is_locked, restored.taken) == (True, 4)
    with closing(registry), registry.view() as view:
        assert [get_tenant(view, each).disabled_at is None for each in tenants] == [True, False]
        found = [get_application(view, each).disabled_at is None for each in applications]
        assert found == [True, False, True]  # the last one was enabled again before the backup
        assert [get_secret(view, each).revoked_at is None for each in secrets] == [False, True]
        assert find_revocation(view, RevocationKind.TOKEN, "token") is not None
        assert [key.state(view.now) for key in list_signing_keys(view)] == [KeyState.REVOKED]
        assert registry_version(view) > feed.version


def test_a_second_restore_knows_what_the_first_one_voided_and_locked(restoring: Restoring) -> None:
    """From a backup of before both, with the journal of a registry that was restored and never unlocked."""
    with restoring.change() as change:
        tenant = create_tenant(change, name="a")
        application = create_application(change, tenant_id=tenant.tenant_id, name="a")
    restoring.back_up()
    with restoring.change() as change:
        secret = create_secret(change, application_id=application.application_id).kept
    with restoring.change() as change:
        revoke_secret(change, secret.secret_id, with_tokens=True)
        disable_tenant(change, tenant.tenant_id)
    with restoring.change() as change:
        enable_tenant(change, tenant.tenant_id)
    with restoring.registry.view() as view:
        feed = revocation_page(view, _ISSUER, 0)
    journal = restoring.journal()
    _, first = restoring.restore(Evidence([journal[:-1]], feed))
    with first.view() as view:
        assert issuing_locked_at(view) is not None
        both = [parse_line(export_line(event), "here") for event in list_events(view)]
    first.close()
    restored, second = restoring.restore(Evidence([both]))
    with closing(second), second.view() as view:
        assert restored.is_locked
        assert find_revocation(view, RevocationKind.CREDENTIAL, secret.secret_id) is not None
        assert get_tenant(view, tenant.tenant_id).disabled_at is not None
        assert verify_trail(view).findings == []


def test_a_feed_that_is_ahead_of_the_journal_locks_issuing(restoring: Restoring) -> None:
    """Then the journal misses something."""
    restoring.back_up()
    with restoring.change() as change:
        create_tenant(change, name="new")
    journal = restoring.journal()
    with restoring.registry.view() as view:
        level = revocation_page(view, _ISSUER, 0)
    with restoring.change() as change:
        disable_tenant(change, journal[-1].event.subject)
    with restoring.registry.view() as view:
        ahead = revocation_page(view, _ISSUER, 0)
    for feed, is_locked in ((level, False), (ahead, True)):
        restored, registry = restoring.restore(Evidence([journal], feed))
        registry.close()
        assert restored.is_locked is is_locked


def test_the_clock_goes_on_above_every_version_also_when_the_time_is_behind(restoring: Restoring) -> None:
    """Above the backup's, the journal's and the verifier's, whatever the wall clock says."""
    with restoring.change() as change:
        tenant = create_tenant(change, name="a")
    restoring.back_up()
    with restoring.change() as change:
        disable_tenant(change, tenant.tenant_id)
    with restoring.change() as change:
        enable_tenant(change, tenant.tenant_id)
    journal = restoring.journal()
    with restoring.registry.view() as view:
        feed = revocation_page(view, _ISSUER, 0)
    restoring.clock.advance(-30 * 86_400)
    for evidence, above in (
        (Evidence(), 0),
        (Evidence([journal]), journal[-1].event.version),
        (Evidence(feed=feed), feed.version),
    ):
        restored, registry = restoring.restore(evidence)
        registry.close()
        assert restored.version > max(above, restored.manifest.version)


def test_evidence_of_an_impossible_version_is_refused(restoring: Restoring) -> None:
    """It would use the versions up."""
    restoring.back_up()
    with restoring.registry.view() as view:
        feed = revocation_page(view, _ISSUER, 0)
    with pytest.raises(InvalidInput, match="no clock reaches"):
        restoring.restore(Evidence(feed=msgspec.structs.replace(feed, version=1 << 62)))


def test_the_old_registry_is_kept_and_one_in_use_is_left_alone(restoring: Restoring) -> None:
    """Without replace it is refused, and while anybody has it open too; then it is kept under a dated name."""
    restoring.back_up()
    target = restoring.folder / "old" / "registry.sqlite3"

    def put(*, replace: bool) -> Restored:
        backup = restoring.folder / "backup.sqlite3"
        return restore(backup, target, Evidence(), replace=replace, check=lambda _: None, clock=restoring.clock)

    for replace, message in ((False, "--force"), (True, "has .* open")):
        with pytest.raises(Conflict, match=message):
            put(replace=replace)
    with restoring.change() as change:
        create_tenant(change, name="after")
    with restoring.registry.view() as view:
        before = list_events(view)
    restoring.registry.close()
    restored = put(replace=True)
    assert restored.kept is not None
    assert restored.kept.name.startswith("registry.sqlite3.before-restore-")
    for path, count in ((restored.kept, len(before)), (target, len(before))):
        database = SqliteDatabase(path)
        with closing(Registry(database)) as registry, registry.view() as view:
            assert len(list_events(view)) == count
    names = {path.name for path in target.parent.iterdir()}
    assert names == {target.name, restored.kept.name}


def test_a_registry_that_cannot_be_opened_any_more_is_kept_with_its_log(restoring: Restoring) -> None:
    """Damaged as it is; and what its log held is not taken for the new one's."""
    restoring.back_up()
    restoring.registry.close()
    target = restoring.folder / "old" / "registry.sqlite3"
    target.write_bytes(b"damaged" * 1000)
    log = target.with_name("registry.sqlite3-wal")
    log.write_bytes(b"log")
    restored = restore(
        restoring.folder / "backup.sqlite3",
        target,
        Evidence(),
        replace=True,
        check=lambda _: None,
        clock=restoring.clock,
    )
    assert restored.kept is not None
    assert restored.kept.read_bytes() == b"damaged" * 1000
    assert restored.kept.with_name(restored.kept.name + "-wal").read_bytes() == b"log"
    assert SqliteDatabase(target).verify() == []


def test_a_restored_registry_that_fails_its_check_is_not_put_in_place(restoring: Restoring) -> None:
    """Such as one that the master key does not open."""
    restoring.back_up()

    def check(_: Registry) -> None:
        raise Conflict("no")

    target = restoring.folder / "new" / "registry.sqlite3"
    with pytest.raises(Conflict, match="no"):
        restore(restoring.folder / "backup.sqlite3", target, Evidence(), replace=False, check=check)
    assert list(target.parent.iterdir()) == []


def test_a_backup_of_an_older_schema_is_restored_and_brought_up_to_date(tmp_path: Path, clock: Clock) -> None:
    """One of before the chain, which the backup leaves as it is: its events have no hash, and those that follow do."""
    old = tmp_path / "old.sqlite3"
    database = SqliteDatabase(old)
    migrate(database, clock.seconds(), known_migrations()[:2])
    with database.write() as connection:
        connection.execute("INSERT INTO audit_events VALUES (5, 0, 1, 'me', 'tenant.created', NULL, 'ten_x', '{}')")
        connection.execute("UPDATE clock SET version = 5")
    database.close()
    made = back_up(old, tmp_path / "backup.sqlite3")
    assert (made.manifest.version, made.manifest.head) == (5, None)
    target = tmp_path / "new.sqlite3"
    restored = restore(made.path, target, Evidence(), replace=False, check=lambda _: None, clock=clock)
    with closing(SqliteDatabase(target)) as opened, Registry(opened, clock).view() as view:
        report = verify_trail(view)
    assert (restored.tampered, report.events, report.unchained, report.findings) == (0, 2, 1, [])


def test_replay_feed_and_lock_are_the_same_on_both_engines(registry: Registry, clock: Clock) -> None:
    """What was disabled is disabled again, from the events and from the feed; the lock is set and taken away."""
    keep_keys_current(registry, _MASTER_KEY, "ES256")
    with registry.change("test:me") as change:
        tenant = create_tenant(change, name="a")
        applications = [
            create_application(change, tenant_id=tenant.tenant_id, name=name).application_id for name in "ab"
        ]
        since = change.version
        disable_application(change, applications[0])
    clock.advance(1)
    with registry.change("test:me") as change:
        disable_application(change, applications[1])
    with registry.view() as view:
        events = [event for event in list_events(view) if event.action == "application.disabled"]
        feed = revocation_page(view, _ISSUER, 0)
    with registry.change("test:me") as change:
        for application_id in applications:
            enable_application(change, application_id)
    with registry.change("system:restore") as change:
        assert replay(change, events[:1]) == 0
        assert get_application(change, applications[0]).disabled_at is not None
        assert get_application(change, applications[1]).disabled_at is None
        assert apply_feed(change, feed, since) == 1
        assert get_application(change, applications[1]).disabled_at is not None
        lock_issuing(change)
    with pytest.raises(RegistryUnavailable, match="locked"):
        Keyring(KeysInRegistry(registry), _MASTER_KEY).current_signer(clock.seconds())
    with registry.change("test:me") as change:
        unlock_issuing(change)
    Keyring(KeysInRegistry(registry), _MASTER_KEY).current_signer(clock.seconds())


def test_uses_of_secrets_are_recorded_anew_after_a_restore(restoring: Restoring) -> None:
    """Whoever used a secret after the backup would be cut off by who retires it because the backup knows of no use."""
    with restoring.registry.observation() as view:
        view.statements.note_recording_of_uses(view.connection, now=view.now)
        view.connection.execute("INSERT INTO secret_uses VALUES ('sec_a', 1, 2)")
    restoring.back_up()
    restored, registry = restoring.restore()
    with registry.view() as view:
        assert use_of_secret(view, "sec_a") is None
        assert tuple(view.statements.recording_of_uses(view.connection)) == (None, 0)
    registry.close()
    assert restored.is_locked
