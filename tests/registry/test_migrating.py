import threading
from pathlib import Path

import pytest

from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.registry.database import Database
from sensos_auth.registry.migrating import Migration, check_schema, known_migrations, migrate
from sensos_auth.registry.revocations import revocation_page, revocations_version
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.registry.statements import load_statements
from sensos_auth.registry.tenants import create_tenant, disable_tenant, list_tenants
from tests.killed_at_statement import FILE, LATER_MIGRATIONS, run_and_kill
from tests.postgresql_server import new_database_url
from tests.registries import START, Clock, Place

_ALL = known_migrations() + LATER_MIGRATIONS
_CONTRACTING = Migration(9003, "contract", "UPDATE clock SET oldest_program = 9001; ALTER TABLE later DROP COLUMN a;")
_TENANT = "ten_" + "a" * 26
_NUMBERS = [migration.number for migration in known_migrations()]


def _applied(database: Database) -> list[int]:
    with database.read() as connection:
        if not database.has_table(connection, "migrations"):
            return []
        return [number for number, _ in load_statements(database.driver).applied_migrations(connection)]


def test_known_migrations_are_numbered_without_gaps() -> None:
    """Migrations are 1, 2, 3, … so that a forgotten file is noticed."""
    assert list(range(1, len(_NUMBERS) + 1)) == _NUMBERS


def test_empty_database_gets_every_migration_once(place: Place) -> None:
    """A second run finds nothing to do."""
    database = place.connect()
    assert [migration.number for migration in migrate(database, START)] == _NUMBERS
    assert migrate(database, START) == []
    assert _applied(database) == _NUMBERS


def test_what_is_for_sqlite_alone_is_a_comment_elsewhere(place: Place) -> None:
    """``/*sqlite …*/`` in a migration is run by SQLite, and by no other engine."""
    database = place.connect()
    migrate(database, START)
    with database.write() as connection:
        database.run_script(connection, "CREATE TABLE marked (a BIGINT /*sqlite DEFAULT 1*/, b BIGINT);")
        database.run_script(connection, "INSERT INTO marked (b) VALUES (2);")
        row = connection.execute("SELECT a, b FROM marked").fetchone()
    assert row == ((1, 2) if place.engine == "sqlite" else (None, 2))


def test_z51_versions_may_be_skipped(place: Place) -> None:
    """A database several versions old is brought up to date in one go, with what is in it."""
    registry = place.open()
    with registry.change("me") as change:
        tenant = create_tenant(change, name="kept")
    assert migrate(registry.database, START, _ALL) == LATER_MIGRATIONS
    with registry.view() as view:
        assert list_tenants(view) == [tenant]


def test_z51_registry_of_the_first_schema_is_brought_up_to_date(place: Place) -> None:
    """What was in it stays, versions go on, nothing counts as revoked, and revoking works."""
    first, *_ = known_migrations()
    database = place.connect()
    migrate(database, START, [first])
    version = START * 1000
    with database.write() as connection:
        script = (
            "UPDATE clock SET version = {version}; "
            "INSERT INTO tenants VALUES ({tenant}, 'kept', NULL, {at}, {version}, NULL)"
        )
        database.run_script(connection, script.format(version=version, tenant=f"'{_TENANT}'", at=START))
    registry = place.open()
    with registry.view() as view:
        assert [tenant.name for tenant in list_tenants(view)] == ["kept"]
        assert revocation_page(view, "i", 0) == RevocationPage(issuer="i", since=0, version=version, as_of=START)
        assert revocations_version(view) == 0
    with registry.change("me") as change:
        disable_tenant(change, _TENANT)
    assert change.version == version + 1
    with registry.view() as view:
        assert len(revocation_page(view, "i", version).tenants) == 1


def test_z50_program_works_on_a_newer_database_that_only_expanded(place: Place) -> None:
    """The release before goes on: it finds nothing to do, neither to migrate nor to check."""
    database = place.connect()
    migrate(database, START, _ALL)
    assert migrate(database, START) == []
    check_schema(database)
    assert _applied(database) == [*_NUMBERS, 9001, 9002]


def test_z50_database_that_contracted_is_refused_and_says_what_to_do(place: Place) -> None:
    """A program that knows too little for the database touches nothing and says which of both to change."""
    database = place.connect()
    migrate(database, START, [*_ALL, _CONTRACTING])
    for look in (lambda: migrate(database, START), lambda: check_schema(database)):
        with pytest.raises(ConfigurationError, match=r"newer Sensos Auth \(its schema is 9003.*upgrade this program"):
            look()
    assert migrate(database, START, _ALL[:-1]) == []
    assert _applied(database) == [*_NUMBERS, 9001, 9002, 9003]


def test_newer_database_that_lacks_a_known_step_is_refused(place: Place) -> None:
    """It is of another line of releases: that its newest step expands says nothing of this program."""
    database = place.connect()
    migrate(database, START, [*known_migrations(), LATER_MIGRATIONS[0], Migration(9003, "other", "SELECT 1;")])
    with pytest.raises(ConfigurationError, match="newer Sensos Auth"):
        migrate(database, START, _ALL)


@pytest.mark.parametrize("known", range(len(_NUMBERS)))
def test_older_database_is_not_good_enough_until_it_is_migrated(place: Place, known: int) -> None:
    """Nor an empty one: both name the command that mends it."""
    database = place.connect()
    if known:
        migrate(database, START, known_migrations()[:known])
    with pytest.raises(ConfigurationError, match=r"run sensos-auth db upgrade$") as caught:
        check_schema(database)
    assert ("holds no registry yet" if known == 0 else f"schema is {known}, and this program needs") in str(
        caught.value
    )
    assert _applied(database) == _NUMBERS[:known]
    migrate(database, START)
    check_schema(database)


@pytest.mark.parametrize("table", ["migrations", "clock", "tenants"])
def test_z84_database_of_another_program_is_left_alone(place: Place, table: str) -> None:
    """A table of a name that we use as well is nothing of ours."""
    database = place.connect()
    with database.write() as connection:
        database.run_script(connection, f"CREATE TABLE {table} (id BIGINT);")
    for look in (lambda: migrate(database, START), lambda: check_schema(database)):
        with pytest.raises(ConfigurationError, match="tables of another program"):
            look()


def test_failed_migration_leaves_the_old_schema(place: Place) -> None:
    """All steps or none: when the third fails, the second is not there either."""
    registry = place.open()
    broken = Migration(9003, "broken", "CREATE TABLE half (a BIGINT); INSERT INTO nowhere VALUES (1);")
    with pytest.raises(Exception, match="nowhere"):
        migrate(registry.database, START, [*_ALL, broken])
    assert _applied(registry.database) == _NUMBERS
    with registry.view() as view:
        assert not registry.database.has_table(view.connection, "later")
        assert not registry.database.has_table(view.connection, "half")


def test_z06_connection_lost_in_a_migration_leaves_the_old_schema(clock: Clock) -> None:
    """On PostgreSQL, where the other end may die: all steps or none, and a second attempt goes through."""
    place = Place("postgresql", new_database_url(), clock)
    registry = place.open()
    lost = Migration(9003, "lost", "CREATE TABLE half (a BIGINT); SELECT pg_terminate_backend(pg_backend_pid());")
    with pytest.raises(RegistryUnavailable):
        migrate(registry.database, START, [*_ALL, lost])
    assert _applied(place.connect()) == _NUMBERS
    assert migrate(registry.database, START, _ALL) == LATER_MIGRATIONS
    place.close()


def test_several_connections_at_once_migrate_once(place: Place) -> None:
    """Of several that open a new registry at the same moment, one makes the schema and none fails."""
    barrier = threading.Barrier(4)
    applied: list[list[Migration]] = []

    def open_at_once() -> None:
        barrier.wait()
        applied.append(migrate(place.connect(), START))

    threads = [threading.Thread(target=open_at_once) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(one) for one in applied) == [0, 0, 0, len(_NUMBERS)]


@pytest.mark.parametrize("existing", [False, True], ids=["new", "older"])
def test_z06_killed_migration_leaves_old_or_new_schema(tmp_path: Path, *, existing: bool) -> None:
    """Killed before any of its statements, a migration has happened whole or not at all, and can be run again."""
    before = _NUMBERS if existing else []
    if existing:
        database = SqliteDatabase(tmp_path / FILE)
        migrate(database, START)
        database.close()
    left = run_and_kill(tmp_path, "migrate", START)
    after = []
    for file in left:
        database = SqliteDatabase(file)
        after.append(_applied(database))
        migrate(database, START, _ALL)
        assert _applied(database) == [*_NUMBERS, 9001, 9002]
        assert database.verify() == []
        database.close()
    assert len(left) > 10
    assert after == [before] * (len(left) - 1) + [[*_NUMBERS, 9001, 9002]]
