import time
from collections.abc import Iterator

import psycopg
import pytest

from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry.postgresql import PostgresqlDatabase
from sensos_auth.registry.tenants import create_tenant, list_tenants
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


def test_lost_connection_is_registry_unavailable(postgresql: Place) -> None:
    """A connection that the server ended gives RegistryUnavailable, in a read and in a change."""
    registry, other = postgresql.open(), psycopg.connect(postgresql.address, autocommit=True)
    with other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with pytest.raises(RegistryUnavailable), registry.view() as view:
            list_tenants(view)
        with pytest.raises(RegistryUnavailable), registry.change("me") as change:
            create_tenant(change, name="a")


def test_connection_lost_in_the_middle_leaves_nothing(postgresql: Place) -> None:
    """A change whose connection ends before the commit has not happened."""
    registry, other = postgresql.open(), psycopg.connect(postgresql.address, autocommit=True)
    with other:
        with pytest.raises(RegistryUnavailable), registry.change("me") as change:  # noqa: PT012 - lost before the commit
            create_tenant(change, name="a")
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
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
