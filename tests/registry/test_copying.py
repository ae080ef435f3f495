"""Copying a registry to PostgreSQL: equal to the last byte, or nothing at all."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sensos_auth.issuing.feed_signer import keep_feed_key
from sensos_auth.issuing.key_rotation import keep_keys_current, rotate
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.model.errors import ConfigurationError, Conflict, RegistryUnavailable
from sensos_auth.registry import Registry
from sensos_auth.registry.applications import create_application, disable_application
from sensos_auth.registry.audit import audit_head, list_events
from sensos_auth.registry.audit_verification import verify_trail
from sensos_auth.registry.copying import Copied, copy_registry
from sensos_auth.registry.migrating import Migration, known_migrations, migrate
from sensos_auth.registry.revocations import registry_version, revoke_token
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.registry.tenants import create_tenant, list_tenants
from tests.postgresql_server import new_database_url
from tests.registries import START, Clock, Place

_MASTER_KEY = MasterKey(bytes(range(32)))
_OBSERVED = """
    INSERT INTO verifiers VALUES ('app_a', 'api-1', 'ten_a', 5, 'k1,k2', 7, 8), ('app_a', 'Äpi', 'ten_a', 5, '', 7, 8);
    INSERT INTO usage VALUES (1, 'app_a', 'sec_a', 3, 0), (1, '', '', 0, 9);
    INSERT INTO refusal_samples VALUES ('app_a', 1);
    INSERT INTO secret_uses VALUES ('sec_a', 1, 2);
    INSERT INTO idempotent_answers VALUES (x'00ff', x'', x'0a5c00', 9);
"""


@pytest.fixture
def source(sqlite_registry: Registry) -> Registry:
    """Return a registry with something in every table, and more than one batch of some."""
    registry = sqlite_registry
    keep_keys_current(registry, _MASTER_KEY, "ES256")
    rotate(registry, _MASTER_KEY, "ES256", actor="me", immediately=False)
    keep_feed_key(registry, _MASTER_KEY)
    with registry.change("me") as change:
        tenants = [create_tenant(change, name=name).tenant_id for name in ("Blue Motors", "Żółć", "\\N \\t", "🚗")]
        applications = [
            create_application(
                change, tenant_id=tenants[number % 4], name=str(number), scope="a b" if number % 2 else ""
            ).application_id
            for number in range(1200)
        ]
        for application_id in applications:
            create_secret(change, application_id=application_id)
        disable_application(change, applications[7])
        revoke_token(change, "token", expires_at=change.now + 500)
    with registry.observation() as view:
        registry.database.run_script(view.connection, _OBSERVED)
    return registry


@pytest.fixture
def target(clock: Clock) -> Iterator[Place]:
    """Return an empty PostgreSQL database."""
    place = Place("postgresql", new_database_url(), clock)
    yield place
    place.close()


def _copy(source: Registry, target: Place) -> Copied:
    return copy_registry(source.database, target.connect())


def _everything(source: Registry) -> dict[str, list[tuple[Any, ...]]]:
    assert isinstance(source.database, SqliteDatabase)
    execute = source.database.connection.execute
    names = [str(name) for (name,) in execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return {name: sorted(execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}  # noqa: S608


def _everything_in(target: Place) -> dict[str, list[tuple[Any, ...]]]:
    with psycopg.connect(target.address) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}".encode()).fetchall(), key=repr)  # noqa: S608
            for (name,) in names
        }


def _is_empty(target: Place) -> bool:
    rows = _everything_in(target)
    rows.pop("migrations", None)
    (clock,) = rows.pop("clock", [(1, 0)])
    return clock[:2] == (1, 0) and not any(rows.values())


def _schema(address: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(address) as connection:
        return [
            *connection.execute("SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 2"),
            *connection.execute(
                "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint "
                "WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
            ),
            *connection.execute("SELECT tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"),
        ]


def test_every_row_of_every_table_is_copied_as_it_is(source: Registry, target: Place) -> None:
    """Nothing is left out, and no table of this test's registry is empty; the copy says how many rows there are."""
    copied = _copy(source, target)
    there, here = _everything_in(target), _everything(source)
    del there["migrations"], here["migrations"]
    assert there == here
    assert {name: len(rows) for name, rows in here.items()} == copied.rows
    assert min(copied.rows.values()) > 0
    assert copied.rows["secrets"] == 1200


def test_registry_goes_on_where_it_was(source: Registry, target: Place) -> None:
    """Its chain is sound, its version and audit head are those of the source, and the next change is above."""
    copied = _copy(source, target)
    registry = target.open()
    with source.view() as old, registry.view() as new:
        assert list_events(new) == list_events(old)
        assert list_tenants(new) == list_tenants(old)
        assert (registry_version(new), audit_head(new)) == (copied.version, copied.head)
        assert registry_version(new) == registry_version(old)
        assert verify_trail(new).findings == []
    with registry.change("me") as change:
        create_tenant(change, name="next")
    assert change.version == copied.version + 1
    with registry.view() as view:
        assert verify_trail(view).findings == []


def test_indexes_constraints_and_triggers_are_those_of_a_new_database(source: Registry, target: Place) -> None:
    """They are put off while rows are copied: all come back."""
    _copy(source, target)
    fresh = Place("postgresql", new_database_url(), target.clock)
    fresh.open()
    fresh.close()
    assert _schema(target.address) == _schema(fresh.address)


def test_progress_is_told_up_to_the_end(source: Registry, target: Place) -> None:
    """Of two stages, one after the other, each with all rows."""
    told: list[tuple[str, int, int]] = []
    copied = copy_registry(source.database, target.connect(), lambda *progress: told.append(progress))
    total = sum(copied.rows.values())
    stages = {what: [done for each, done, _ in told if each == what] for what, _, _ in told}
    assert list(stages) == ["rows copied", "rows verified"]
    for counts in stages.values():
        assert counts == sorted(counts)
        assert counts[-1] == total
    assert {of for _, _, of in told} == {total}


def test_target_may_have_the_schema_already_or_an_older_one(source: Registry, target: Place) -> None:
    """As ``db upgrade`` leaves it, of this release or of the first."""
    migrate(target.connect(), START, known_migrations()[:1])
    assert _copy(source, target).schema == known_migrations()[-1].number


@pytest.mark.parametrize("schema", ["current", "first"])
def test_target_that_holds_a_registry_is_left_alone(source: Registry, target: Place, schema: str) -> None:
    """Whatever its schema, which stays as it is."""
    if schema == "current":
        with target.open().change("me") as change:
            create_tenant(change, name="there")
    else:
        database = target.connect()
        migrate(database, START, known_migrations()[:1])
        with database.write() as connection:
            connection.execute("UPDATE clock SET version = 5")
    before = _everything_in(target)
    with pytest.raises(Conflict, match="name an empty database"):
        _copy(source, target)
    assert _everything_in(target) == before


def test_target_with_usage_only_is_left_alone(source: Registry, target: Place) -> None:
    """A service was there before anything was changed in it."""
    with target.open().observation() as view:
        view.connection.execute("INSERT INTO usage VALUES (1, '', '', 0, 9)")
    with pytest.raises(Conflict, match="table usage is not empty"):
        _copy(source, target)


def test_z84_target_of_another_program_is_left_alone(source: Registry, target: Place) -> None:
    """Nothing is made beside its tables."""
    with psycopg.connect(target.address) as connection:
        connection.execute("CREATE TABLE migrations (id INT, batch INT)")
    with pytest.raises(ConfigurationError, match="tables of another program"):
        _copy(source, target)
    assert list(_everything_in(target)) == ["migrations"]


def test_target_that_cannot_store_every_text_is_refused(source: Registry, target: Place) -> None:
    """Only a database in UTF-8 holds every name."""
    with psycopg.connect(target.address, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
        database = connection.info.dbname
    place = Place("postgresql", target.address.replace(database, "bytes"), target.clock)
    with pytest.raises(ConfigurationError, match="SQL_ASCII: make it with ENCODING 'UTF8'"):
        _copy(source, place)
    place.close()


def test_source_that_changes_meanwhile_is_found_and_nothing_is_copied(source: Registry, target: Place) -> None:
    """What came in between would be lost with the old registry."""
    other = Registry(SqliteDatabase(source.database.path)) if isinstance(source.database, SqliteDatabase) else source
    is_done = False

    def change_once(what: str, _done: int, _total: int) -> None:
        nonlocal is_done
        if what == "rows verified" and not is_done:
            is_done = True
            with other.change("me") as change:
                create_tenant(change, name="late")

    with pytest.raises(Conflict, match=r"was changed while it was copied.*end the service.*copy again"):
        copy_registry(source.database, target.connect(), change_once)
    other.close()
    assert _is_empty(target)
    assert _copy(source, target).rows["tenants"] == 5


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("tenants", "NEW.name := NEW.name || '.'; RETURN NEW;"),
        ("audit_events", "NEW.hash := NULL; RETURN NEW;"),
        ("usage", "RETURN NULL;"),
        ("clock", "NEW.version := NEW.version + 1; RETURN NEW;"),
    ],
    ids=["value", "hash", "row", "version"],
)
def test_difference_is_found_and_nothing_is_copied(source: Registry, target: Place, table: str, change: str) -> None:
    """A trigger alters a value, drops a hash, swallows a row, raises the version: the table is named."""
    target.open()
    with psycopg.connect(target.address) as connection:
        connection.execute(
            f"CREATE FUNCTION tamper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {change} END $$; "
            f"CREATE TRIGGER tamper BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION tamper()".encode()
        )
    with pytest.raises(Conflict, match=f"the table {table} is not the same in the target"):
        _copy(source, target)
    assert _is_empty(target)


@pytest.mark.parametrize("stage", ["rows copied", "rows verified"])
def test_z06_connection_that_is_lost_leaves_nothing(source: Registry, target: Place, stage: str) -> None:
    """Nor is a second attempt held up by the first."""

    def cut(what: str, _done: int, _total: int) -> None:
        if what == stage:
            with psycopg.connect(target.address) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    with pytest.raises(RegistryUnavailable):
        copy_registry(source.database, target.connect(), cut)
    assert _is_empty(target)
    _copy(source, target)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE tenants SET name = 'a' || char(0) || 'b'",
        "UPDATE tenants SET created_at = 1.5",
        "UPDATE tenants SET created_at = 'yesterday'",
        "DELETE FROM tenants",
        "UPDATE tenants SET name = CAST(x'ff' AS TEXT)",
    ],
    ids=["zero-byte", "fraction", "word", "missing-row", "no-utf-8"],
)
def test_what_postgresql_cannot_store_is_said_and_nothing_is_copied(
    source: Registry, target: Place, damage: str
) -> None:
    """SQLite stores anything anywhere; what this program writes, both can store."""
    assert isinstance(source.database, SqliteDatabase)
    source.database.connection.execute("PRAGMA foreign_keys = OFF").fetchall()
    source.database.connection.execute(damage).fetchall()
    with pytest.raises(ConfigurationError, match="what PostgreSQL cannot store"):
        _copy(source, target)
    assert _is_empty(target)


def test_source_of_a_newer_release_is_refused(source: Registry, target: Place) -> None:
    """There may be more in it than this program knows of."""
    migrate(source.database, START, [*known_migrations(), Migration(9001, "later", "CREATE TABLE later (a BIGINT);")])
    with pytest.raises(ConfigurationError, match="not of the same schema: copy with the newest"):
        _copy(source, target)
    assert _is_empty(target)
