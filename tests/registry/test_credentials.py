import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensos_auth.model.application_secret import digest, new_secret
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, disable_application, enable_application
from sensos_auth.registry.credentials import Credential, SqliteCredentialReader, find_credential
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
        withdrawn_at=None,
        scope="read write",
        lifetime=lifetime or 700,
        audience=None,
        version=change.version,
        signing_keys_version=0,
    )


def _find(registry: Registry, shown: str) -> Credential | None:
    # On either engine; the reader of the token endpoint is SQLite's.
    with registry.view() as view:
        return find_credential(view, digest(shown))


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


@pytest.mark.parametrize("withdraw", ["tenant", "application", "secret", "all"])
def test_what_was_taken_away_is_seen_at_once(registry: Registry, withdraw: str) -> None:
    """Disabling the tenant, disabling the application and revoking the secret show in the next read, each alone."""
    shown, credential = _fill(registry)
    other, untouched = _fill(registry)
    with registry.change("me") as change:
        if withdraw in {"tenant", "all"}:
            disable_tenant(change, credential.tenant_id)
        if withdraw in {"application", "all"}:
            disable_application(change, credential.application_id)
        if withdraw in {"secret", "all"}:
            revoke_secret(change, credential.secret_id)
    assert _find(registry, shown) == credential._replace(withdrawn_at=START, version=change.version)
    assert _find(registry, other) == untouched._replace(version=change.version)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(steps=st.lists(st.sampled_from(["disable", "enable", "secret", "revoke"]), max_size=8))
def test_secrets_repeat_what_their_application_says(registry: Registry, steps: list[str]) -> None:
    """Whatever is done, and in whichever order: also a secret that is made while its application is disabled."""
    _, credential = _fill(registry, lifetime=50)
    for step in steps:
        with registry.change("me") as change:
            match step:
                case "disable":
                    disable_application(change, credential.application_id)
                case "enable":
                    enable_application(change, credential.application_id)
                case "secret":
                    create_secret(change, application_id=credential.application_id)
                case _:
                    revoke_secret(change, credential.secret_id)
    with registry.view() as view:
        rows = view.connection.execute(
            "SELECT s.tenant_id, s.application_scope, s.application_lifetime, s.application_disabled_at,"
            " a.tenant_id, a.scope, a.lifetime, a.disabled_at, a.application_id"
            " FROM secrets s JOIN applications a ON a.application_id = s.application_id"
        ).fetchall()
    assert sum(row[8] == credential.application_id for row in rows) == 1 + steps.count("secret")
    for row in rows:
        assert row[:4] == row[4:8]


def test_empty_registry_knows_no_secret(registry: Registry) -> None:
    """Neither the smallest nor the largest digest is found where there is none."""
    with registry.view() as view:
        assert find_credential(view, b"\x00" * 32) is None
        assert find_credential(view, b"\xff" * 32) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_neighbour_of_a_secret_is_no_secret(registry: Registry, data: st.DataObject) -> None:
    """Only the very digest finds a secret: not one beside it, longer, shorter, between two, or before or behind all."""
    known = _filled_once(registry)
    with registry.view() as view:
        digest_of_one = data.draw(st.sampled_from(sorted(known)))
        found = find_credential(view, digest_of_one)
        assert found is not None
        assert found.secret_id == known[digest_of_one]
        number = int.from_bytes(digest_of_one)
        beside = st.integers(-300, 300).map(lambda step: min(max(number + step, 0), 2**256 - 1).to_bytes(32))
        cut = st.integers(0, 31).map(lambda length: digest_of_one[:length])
        longer = st.binary(min_size=1, max_size=3).map(lambda more: digest_of_one + more)
        asked = data.draw(st.one_of(st.binary(min_size=32, max_size=32), beside, cut, longer))
        assert asked in known or find_credential(view, asked) is None


def _filled_once(registry: Registry) -> dict[bytes, str]:
    with registry.view() as view:
        rows = view.connection.execute("SELECT digest, secret_id FROM secrets").fetchall()
    if not rows:
        for _ in range(5):
            _fill(registry)
        return _filled_once(registry)
    return {bytes(key): secret_id for key, secret_id in rows}


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
    assert found.withdrawn_at == START
    assert reader.find(b"") is None


def test_read_ends_with_the_answer(sqlite_registry: Registry) -> None:
    """After an answer the reader holds no snapshot, which would keep the log from being emptied; nor after an error."""
    assert isinstance(sqlite_registry.database, SqliteDatabase)
    shown, credential = _fill(sqlite_registry)
    connection = sqlite_registry.database.connection
    reader = SqliteCredentialReader(sqlite_registry.database)
    other = apsw.Connection(str(sqlite_registry.database.path))
    other.execute("SELECT * FROM clock").fetchall()
    assert reader.find(digest(shown)) == credential
    assert other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE) == (0, 0)
    connection.set_progress_handler(lambda: True, 1)
    with pytest.raises(apsw.InterruptError):
        reader.find(digest(shown))
    connection.set_progress_handler(None)
    assert other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE) == (0, 0)
    assert reader.find(digest(shown)) == credential
    other.close()


def test_hot_read_is_index_look_ups_only(sqlite_registry: Registry) -> None:
    """SQLite answers the hot read with one search by key in each table, the secret's first, and scans nothing."""
    with sqlite_registry.view() as view:
        statement = view.statements.credential.sql
        plan = view.connection.execute(f"EXPLAIN QUERY PLAN {statement}", {"digest": b""}).fetchall()
    steps = [row[3] for row in plan]
    assert steps == [
        "SEARCH s USING PRIMARY KEY (digest>?)",
        "SEARCH t USING PRIMARY KEY (tenant_id=?)",
        "SEARCH c USING INTEGER PRIMARY KEY (rowid=?)",
    ]


@pytest.mark.parametrize("cause", ["known", "revoked", "unknown"])
def test_hit_and_miss_are_the_same_work(sqlite_registry: Registry, cause: str) -> None:
    """SQLite takes the same steps for a secret that exists and one that doesn't, but for the odd comparison."""
    assert isinstance(sqlite_registry.database, SqliteDatabase)
    filled = [_fill(sqlite_registry) for _ in range(20)]
    hit, credential = min(filled, key=lambda one: digest(one[0]))
    asked = digest(hit)
    if cause == "revoked":
        with sqlite_registry.change("me") as change:
            revoke_secret(change, credential.secret_id)
    reader = SqliteCredentialReader(sqlite_registry.database)
    reader.find(b"")  # prepares the statement
    usual = _steps(sqlite_registry.database, reader, digest(filled[1][0]))
    if cause == "unknown":
        asked = bytes(32)
    assert (reader.find(asked) is None) == (cause == "unknown")
    assert abs(_steps(sqlite_registry.database, reader, asked) - usual) <= 4


def _steps(database: SqliteDatabase, reader: SqliteCredentialReader, asked: bytes) -> int:
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    database.connection.set_progress_handler(count, 1)
    reader.find(asked)
    database.connection.set_progress_handler(None)
    return steps


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
