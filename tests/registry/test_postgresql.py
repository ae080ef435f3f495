import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable
from sensos_auth.registry import Registry
from sensos_auth.registry.lease import LEASE
from sensos_auth.registry.postgresql import MOST_CONNECTIONS, PostgresqlDatabase
from sensos_auth.registry.tenants import create_tenant, disable_tenant, enable_tenant, list_tenants
from tests.postgresql_server import new_database_url
from tests.registries import Clock, Place


@pytest.fixture
def postgresql(clock: Clock) -> Iterator[Place]:
    """Return where a registry on PostgreSQL is kept."""
    place = Place("postgresql", new_database_url(), clock)
    yield place
    place.close()


def test_server_out_of_reach_is_registry_unavailable() -> None:
    """No server at the address: RegistryUnavailable, which says neither user nor password."""
    with pytest.raises(RegistryUnavailable) as caught:
        PostgresqlDatabase("postgresql://somebody:canary@127.0.0.1:1/registry")
    assert "canary" not in str(caught.value)


def test_write_waits_at_most_two_seconds_and_reads_go_on(postgresql: Place) -> None:
    """While another writer is at work, a change is refused in time, and nobody's read is."""
    first, second = postgresql.open(), postgresql.open()
    with first.change("me") as change:
        create_tenant(change, name="a")
        began = time.monotonic()
        with pytest.raises(RegistryUnavailable), second.change("me") as refused:
            create_tenant(refused, name="b")
        assert 1.8 < time.monotonic() - began < 3
        with second.view() as view:
            assert list_tenants(view) == []
    with second.change("me") as change:
        create_tenant(change, name="b")


def test_z29_lost_connection_is_replaced_before_it_is_used(postgresql: Place) -> None:
    """Connections that the server has ended meanwhile are noticed: the next read and the next change just work."""
    registry, other = postgresql.open(), psycopg.connect(postgresql.address, autocommit=True)
    with other:
        for name in ("a", "b"):
            with registry.view() as view:
                list_tenants(view)
            other.execute("SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            with registry.change("me") as change:
                create_tenant(change, name=name)
        with registry.view() as view:
            assert [tenant.name for tenant in list_tenants(view)] == ["a", "b"]


def test_z39_connection_comes_back_clean(postgresql: Place) -> None:
    """Whatever a transaction left behind is gone for the next one: an abort, a setting, read-only."""
    registry = postgresql.open()
    with pytest.raises(psycopg.errors.DivisionByZero), registry.view() as view:
        view.connection.execute("SELECT 1 / 0")
    with registry.change("me") as change:
        change.connection.execute("SET LOCAL search_path = nowhere")
        change.connection.execute("SET LOCAL search_path = public")
        create_tenant(change, name="a")
    with pytest.raises(RegistryUnavailable), registry.database.read() as connection:
        connection.execute("CREATE TABLE x (y INT)")
    with registry.view() as view:
        assert [tenant.name for tenant in list_tenants(view)] == ["a"]


def test_z39_no_connection_leaks(postgresql: Place) -> None:
    """However many threads and errors there are, a process has six connections at most, and all come back."""
    registry = postgresql.open()

    def fail(_: int) -> None:
        with registry.another().view() as view:
            list_tenants(view)
            raise ValueError

    with ThreadPoolExecutor(20) as pool:
        for failure in [pool.submit(fail, number) for number in range(60)]:
            assert isinstance(failure.exception(), ValueError)
    with registry.view() as view:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sensos-auth registry'"
        (count,) = view.connection.execute(query + " AND datname = current_database()").fetchone()
    assert 1 <= count <= MOST_CONNECTIONS


def test_server_that_loses_what_it_acknowledged_is_refused(postgresql: Place) -> None:
    """synchronous_commit = off, set for the database, is no place for a registry."""
    with psycopg.connect(postgresql.address, autocommit=True) as other:
        name = other.info.dbname
        other.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off'.encode())
    with pytest.raises(ConfigurationError, match="synchronous_commit"):
        postgresql.open()


@pytest.mark.parametrize("url", ["postgresql://me:canary@[h/d", "postgresql://me:canary@h/d?nonsense=1"])
def test_bad_url_is_refused_without_its_password(url: str) -> None:
    """A URL that can't be one is a mistake of the configuration; its password is not repeated, in no traceback."""
    with pytest.raises(ConfigurationError) as caught:
        PostgresqlDatabase(url)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_taking_away_waits_until_no_node_goes_by_what_was_before(postgresql: Place) -> None:
    """Disabling returns a lease after the commit; creating and enabling return at once."""
    postgresql.open()
    registry = Registry(postgresql.connect())
    waits: list[float] = []
    registry.settle = waits.append
    with registry.change("me") as change:
        tenant = create_tenant(change, name="a")
        enable_tenant(change, tenant.tenant_id)
    assert waits == []
    with registry.change("me") as change:
        disable_tenant(change, tenant.tenant_id)
    assert waits == [pytest.approx(LEASE, abs=0.02)]
    assert waits[0] > LEASE


def test_connection_lost_in_the_middle_leaves_nothing(postgresql: Place) -> None:
    """A change whose connection ends before the commit has not happened."""
    registry, other = postgresql.open(), psycopg.connect(postgresql.address, autocommit=True)
    with other:
        with pytest.raises(RegistryUnavailable), registry.change("me") as change:  # noqa: PT012 - lost before the commit
            create_tenant(change, name="a")
            other.execute("SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with postgresql.open().view() as view:
            assert list_tenants(view) == []


def test_foreign_keys_hold(postgresql: Place) -> None:
    """PostgreSQL itself refuses an application of no tenant; that mistake is no outage."""
    registry = postgresql.open()
    with pytest.raises(psycopg.errors.ForeignKeyViolation), registry.change("me") as change:
        change.statements.insert_application(
            change.connection,
            application_id="app_x",
            tenant_id="ten_x",
            name="x",
            scope="",
            lifetime=None,
            audience=None,
            created_at=1,
            created_version=1,
        )
