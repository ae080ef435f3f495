"""After PostgreSQL went back to a point in time: what was taken away since stays away, as after any other restore."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from sensos_auth.issuing.key_rotation import keep_keys_current, revoke
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.model.errors import ConfigurationError, Conflict, InvalidInput, RegistryUnavailable
from sensos_auth.model.revocation import RevocationKind
from sensos_auth.model.signing_key import KeyState
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, disable_application, get_application
from sensos_auth.registry.audit import audit_head, list_events
from sensos_auth.registry.audit_export import ExportedEvent, export_line, parse_line
from sensos_auth.registry.audit_verification import holds_head, verify_trail
from sensos_auth.registry.following import RegistryFollower
from sensos_auth.registry.issuing_lock import issuing_locked_at, unknown_window, unlock_issuing
from sensos_auth.registry.restoring import Evidence, Restored
from sensos_auth.registry.restoring_in_place import restore_in_place
from sensos_auth.registry.revocations import find_revocation, registry_version, revocation_page, revoke_token
from sensos_auth.registry.secrets import create_secret, get_secret, revoke_secret
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.tenants import create_tenant
from tests.failover import Failover
from tests.postgresql_server import new_database_url
from tests.registries import Clock, Place

_MASTER_KEY = MasterKey(bytes(range(32)))


@pytest.fixture
def recovery(clock: Clock) -> Iterator[Failover]:
    """Return a registry with a signing key, which can go back to the moment that is copied."""
    place = Place("postgresql", new_database_url(), clock)
    keep_keys_current(place.open(), _MASTER_KEY, "ES256")
    yield Failover(place)
    place.close()


@pytest.fixture
def application_id(recovery: Failover) -> str:
    """Return the ID of an application that is there at the moment to which the registry goes back."""
    with recovery.place.open().change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        application_id = create_application(change, tenant_id=tenant_id, name="Pump").application_id
    recovery.copy()
    recovery.place.clock.advance(1)
    return application_id


def _journal(registry: Registry) -> list[ExportedEvent]:
    with registry.view() as view:
        return [parse_line(export_line(event), "here") for event in list_events(view)]


def _restore(registry: Registry, clock: Clock, *journals: list[ExportedEvent]) -> Restored:
    return restore_in_place(registry, Evidence(journals), check=lambda _: None, clock=clock)


def test_z27_with_a_journal_what_was_taken_away_stays_away(recovery: Failover, clock: Clock) -> None:
    """Disabled, revoked, voided; a key that was revoked signs no more. Issuing goes on, and the trail with it."""
    registry = recovery.place.open()
    with registry.change("me") as change:
        tenant_id = create_tenant(change, name="Acme").tenant_id
        ids = [create_application(change, tenant_id=tenant_id, name=name).application_id for name in "abc"]
        secret_id = create_secret(change, application_id=ids[1]).kept.secret_id
    with registry.view() as view:
        (kid,) = [key.kid for key in list_signing_keys(view)]
    recovery.copy()
    clock.advance(1)
    with registry.change("me") as change:
        disable_application(change, ids[0])
        revoke_secret(change, secret_id, with_tokens=True)
        revoke_token(change, "token", expires_at=change.now + 500)
        lost_id = create_application(change, tenant_id=tenant_id, name="made since").application_id
    revoke(registry, _MASTER_KEY, "ES256", kid, actor="me")
    journal = _journal(registry)
    with registry.view() as view:
        head, version = audit_head(view), registry_version(view)
    assert head is not None
    restored_registry = recovery.take_over()

    restored = _restore(restored_registry, clock, journal)

    assert (restored.is_locked, restored.lost, restored.tampered, restored.kept) == (False, 1, 0, None)
    with restored_registry.view() as view:
        disabled = [get_application(view, each).disabled_at is not None for each in ids]
        assert disabled == [True, False, False]
        assert get_secret(view, secret_id).revoked_at is not None
        assert find_revocation(view, RevocationKind.TOKEN, "token") is not None
        assert find_revocation(view, RevocationKind.APPLICATION, lost_id) is not None
        assert [key.state(view.now) for key in list_signing_keys(view)] == [KeyState.REVOKED]
        assert registry_version(view) == restored.version > version
        assert verify_trail(view).findings == []
        assert holds_head(view, head) is not None
    keep_keys_current(restored_registry, _MASTER_KEY, "ES256")
    Keyring(KeysInRegistry(restored_registry), _MASTER_KEY).current_signer(clock.seconds())


def test_without_evidence_issuing_is_locked_until_somebody_confirms(
    recovery: Failover, application_id: str, clock: Clock
) -> None:
    """Of the time from the last change that the registry knows of."""
    registry = recovery.place.open()
    with registry.change("me") as change:
        disable_application(change, application_id)
    registry = recovery.take_over()
    restored = _restore(registry, clock)
    assert restored.is_locked
    with pytest.raises(RegistryUnavailable, match="issuing unlock"):
        Keyring(KeysInRegistry(registry), _MASTER_KEY).current_signer(clock.seconds())
    with registry.view() as view:
        assert unknown_window(view) == (clock.seconds() - 1, clock.seconds())
    with registry.change("me") as change:
        unlock_issuing(change)
    Keyring(KeysInRegistry(registry), _MASTER_KEY).current_signer(clock.seconds())


def test_z27_what_a_verifier_kept_is_taken_away(recovery: Failover, application_id: str, clock: Clock) -> None:
    """And issuing is locked, because it does not tell everything."""
    registry = recovery.place.open()
    with registry.change("me") as change:
        disable_application(change, application_id)
    with registry.view() as view:
        feed = revocation_page(view, "https://auth.example", 0)
    registry = recovery.take_over()
    restored = restore_in_place(registry, Evidence(feed=feed), check=lambda _: None, clock=clock)
    assert (restored.is_locked, restored.taken) == (True, 1)
    with registry.view() as view:
        assert get_application(view, application_id).disabled_at is not None


def test_z08_restore_that_fails_changes_nothing_and_can_be_done_again(
    recovery: Failover, application_id: str, clock: Clock
) -> None:
    """Its connection is lost in the middle: then there is nothing of it, and the same journal goes on."""
    registry = recovery.place.open()
    with registry.change("me") as change:
        disable_application(change, application_id)
    journal = _journal(registry)
    registry = recovery.take_over()
    with registry.view() as view:
        before = list_events(view)
    with psycopg.connect(recovery.place.address, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend("
            "pg_backend_pid()); RETURN NEW; END $$"
        )
        connection.execute("CREATE TRIGGER fail BEFORE INSERT ON revocations FOR EACH ROW EXECUTE FUNCTION fail()")
        with pytest.raises(RegistryUnavailable):
            _restore(registry, clock, journal)
        connection.execute("DROP TRIGGER fail ON revocations")
    with registry.view() as view:
        assert list_events(view) == before
    assert not _restore(registry, clock, journal).is_locked
    with registry.view() as view:
        assert get_application(view, application_id).disabled_at is not None
        assert verify_trail(view).findings == []


def test_journal_that_does_not_go_on_is_refused(recovery: Failover, application_id: str, clock: Clock) -> None:
    """As when something was changed since PostgreSQL went back: then that is what to do first."""
    registry = recovery.place.open()
    with registry.change("me") as change:
        disable_application(change, application_id)
    journal = _journal(registry)
    registry = recovery.take_over()
    with registry.change("me") as change:
        create_tenant(change, name="too early")
    clock.advance(5)
    journal.append(ExportedEvent(journal[-1].event._replace(version=clock() + 1), bytes(32)))
    with pytest.raises(InvalidInput, match=r"does not go on.*restore it once more, every node ended"):
        _restore(registry, clock, journal)
    with registry.view() as view:
        assert issuing_locked_at(view) is None


def test_no_node_may_be_at_work(recovery: Failover, application_id: str, clock: Clock) -> None:
    """It would issue to who was disabled, until all is done."""
    registry = recovery.place.open()
    with closing(RegistryFollower(recovery.place.address)), pytest.raises(Conflict, match="end all of them first"):
        _restore(registry, clock)
    with registry.view() as view:
        assert get_application(view, application_id).disabled_at is None
        assert issuing_locked_at(view) is None


def test_another_master_key_is_found_before_anything_is_done(recovery: Failover, clock: Clock) -> None:
    """What looks at the registry first has its say."""
    registry = recovery.place.open()

    def refuse(_: Registry) -> None:
        raise ConfigurationError("another master key")

    with pytest.raises(ConfigurationError, match="another master key"):
        restore_in_place(registry, Evidence(), check=refuse, clock=clock)
    with registry.view() as view:
        assert issuing_locked_at(view) is None


def test_registry_in_which_nothing_happened_is_none_that_was_restored(clock: Clock) -> None:
    """A new database, named by mistake."""
    place = Place("postgresql", new_database_url(), clock)
    with pytest.raises(Conflict, match="nothing has ever happened"):
        _restore(place.open(), clock)
    place.close()
