import apsw
import pytest

from sensos_auth.model.application_secret import digest, new_secret
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, disable_application
from sensos_auth.registry.credentials import Credential, SqliteCredentialReader
from sensos_auth.registry.secrets import create_secret, revoke_secret
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.registry.tenants import create_tenant, disable_tenant
from tests.registries import START


def _fill(registry: Registry, *, lifetime: int | None = None) -> tuple[str, Credential]:
    with registry.change("me") as change:
        tenant = create_tenant(change, name="Acme", lifetime=700)
        application = create_application(
            change, tenant_id=tenant.tenant_id, name="Pump", scope="read write", lifetime=lifetime
        )
        new = create_secret(change, application_id=application.application_id, expires_in=60)
    return new.shown, Credential(
        secret_id=new.kept.secret_id,
        application_id=application.application_id,
        tenant_id=tenant.tenant_id,
        expires_at=START + 60,
        revoked_at=None,
        application_disabled_at=None,
        tenant_disabled_at=None,
        scope="read write",
        lifetime=lifetime or 700,
        version=change.version,
        signing_keys_version=0,
    )


def _find(registry: Registry, shown: str) -> Credential | None:
    # The statement itself, on either engine; the reader of the token endpoint is SQLite's.
    with registry.view() as view:
        row = view.statements.credential(view.connection, digest=digest(shown))
    return None if row is None else Credential._make(row)


@pytest.mark.parametrize("lifetime", [None, 50])
def test_everything_that_decides_is_found_by_digest(registry: Registry, lifetime: int | None) -> None:
    """One read tells of secret, application and tenant; the application's lifetime comes before the tenant's."""
    shown, expected = _fill(registry, lifetime=lifetime)
    _fill(registry)
    found = _find(registry, shown)
    assert found is not None
    assert found._replace(version=expected.version) == expected
    assert found.version == expected.version + 1
    assert _find(registry, new_secret()) is None


def test_what_was_taken_away_is_seen_at_once(registry: Registry) -> None:
    """Disabling tenant and application and revoking the secret show in the next read."""
    shown, credential = _fill(registry)
    with registry.change("me") as change:
        disable_tenant(change, credential.tenant_id)
        disable_application(change, credential.application_id)
        revoke_secret(change, credential.secret_id)
    found = _find(registry, shown)
    assert found is not None
    assert (found.revoked_at, found.application_disabled_at, found.tenant_disabled_at) == (START, START, START)


def test_reader_of_the_token_endpoint_agrees(sqlite_registry: Registry) -> None:
    """SqliteCredentialReader returns the same, and sees changes of the next moment."""
    assert isinstance(sqlite_registry.database, SqliteDatabase)
    shown, credential = _fill(sqlite_registry)
    reader = SqliteCredentialReader(sqlite_registry.database)
    assert reader.find(digest(shown)) == credential
    with sqlite_registry.change("me") as change:
        disable_application(change, credential.application_id)
    found = reader.find(digest(shown))
    assert found is not None
    assert found.application_disabled_at == START
    assert reader.find(b"") is None


def test_hot_read_is_index_look_ups_only(sqlite_registry: Registry) -> None:
    """SQLite answers the hot read with one search by index in each table, and scans nothing."""
    with sqlite_registry.view() as view:
        statement = view.statements.credential.sql
        plan = view.connection.execute(f"EXPLAIN QUERY PLAN {statement}", {"digest": b""}).fetchall()
    steps = [row[3] for row in plan]
    assert len(steps) == 4
    assert all(step.startswith("SEARCH ") for step in steps), steps


def test_hot_read_is_prepared_once(sqlite_registry: Registry) -> None:
    """SQLite does not plan the statement anew when another digest is asked for."""
    assert isinstance(sqlite_registry.database, SqliteDatabase)
    reader = SqliteCredentialReader(sqlite_registry.database)
    shown, _ = _fill(sqlite_registry)
    asked_for_leave = []  # which SQLite does while it prepares, and at no other time

    def allow(*what: object) -> int:
        asked_for_leave.append(what)
        return apsw.SQLITE_OK

    sqlite_registry.database.connection.authorizer = allow
    reader.find(b"")
    assert asked_for_leave
    asked_for_leave.clear()
    assert reader.find(digest(shown)) is not None
    assert reader.find(digest(new_secret())) is None
    assert asked_for_leave == []


@pytest.mark.parametrize("name", ["tenants", "applications", "applications_of_tenant", "secrets"])
def test_pages_are_found_by_index(sqlite_registry: Registry, name: str) -> None:
    """A page of a million rows costs no walk from the first."""
    with sqlite_registry.view() as view:
        statement = getattr(view.statements, name).sql
        values = {value: "" for value in ("after", "limit", "tenant_id", "application_id") if f":{value}" in statement}
        plan = view.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
    steps = [row[3] for row in plan]
    assert not any(step.startswith("SCAN ") or "TEMP B-TREE" in step for step in steps), steps
