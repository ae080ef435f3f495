"""Following a registry on PostgreSQL: how things stand, what has changed, and to be woken by it."""

import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest

from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable
from sensos_auth.registry import Registry
from sensos_auth.registry.audit import audit_head, list_events
from sensos_auth.registry.credentials import find_credentials
from sensos_auth.registry.following import RegistryFollower
from sensos_auth.registry.issuing_lock import lock_issuing
from sensos_auth.registry.migrating import migrate
from sensos_auth.registry.postgresql import PostgresqlDatabase
from sensos_auth.registry.program_age import ProgramTooOld
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.registry.statements import load_statements
from sensos_auth.registry.tenants import create_tenant, list_tenants
from sensos_auth.registry.transactions import View
from tests.nodes.postgresql_cluster import postgresql_cluster
from tests.postgresql_server import PASSWORD
from tests.registries import Place
from tests.registry.test_program_age import CONTRACTED
from tests.tcp_proxy import TcpProxy


@pytest.fixture
def url(behind_proxy: tuple[Place, TcpProxy]) -> str:
    """Return where the registry is."""
    return behind_proxy[0].address


@pytest.fixture
def postgresql(behind_proxy: tuple[Place, TcpProxy]) -> Registry:
    """Return a registry on PostgreSQL."""
    return behind_proxy[0].open()


@pytest.fixture
def follower(url: str, postgresql: Registry) -> Iterator[RegistryFollower]:  # noqa: ARG001 - its schema
    """Return one that follows it."""
    with RegistryFollower(url) as follower:
        yield follower


def test_standing_tells_each_kind_of_change(postgresql: Registry, follower: RegistryFollower) -> None:
    """Of nothing, of an event, of a revocation, of the signing keys or the lock; and what time it is at the server."""
    first = follower.standing()
    assert first[:-1] == (0, 0, 0, 0, None, 4)
    assert abs(first.now - time.time()) < 2
    with postgresql.change("me") as change:
        create_tenant(change, name="a")
    one = follower.standing()
    with postgresql.change("me") as change:
        revoke_token(change, "token")
    two = follower.standing()
    with postgresql.change("me") as change:
        lock_issuing(change)
        change.record("registry.restored", "registry")
    three = follower.standing()
    assert one[:4] == (one.version, 0, 0, one.version)
    assert two[:4] == (two.version, 0, two.version, two.version)
    assert three[:4] == (three.version, three.version, two.version, three.version)
    with follower.view(0) as view:
        assert three.audit_hash == audit_head(view) == list_events(view)[-1].hash
        assert len({one.audit_hash, two.audit_hash, three.audit_hash, None}) == 4


def test_version_without_an_event(postgresql: Registry, follower: RegistryFollower) -> None:
    """The clock can be raised by itself; the last event stays the last."""
    with postgresql.change("me") as change:
        create_tenant(change, name="a")
    before = follower.standing()
    with postgresql.observation() as view:
        view.statements.raise_clock(view.connection, version=before.version + 10)
    after = follower.standing()
    assert after[:-1] == before._replace(version=before.version + 10)[:-1]


def test_view_is_one_state_and_changes_nothing(postgresql: Registry, follower: RegistryFollower) -> None:
    """What is committed meanwhile is not in it; and it can write nothing."""
    with follower.view(7) as view:
        assert (list_tenants(view), view.now) == ([], 7)
        with postgresql.change("me") as change:
            create_tenant(change, name="a")
        assert list_tenants(view) == []
    with follower.view(8) as view:
        assert len(list_tenants(view)) == 1
    with pytest.raises(RegistryUnavailable), follower.view(9) as view:
        view.statements.advance_clock(view.connection, now_ms=1)
    assert follower.standing().version == change.version


def test_z40_change_wakes_who_waits(postgresql: Registry, follower: RegistryFollower) -> None:
    """Within milliseconds of its commit, and not before it."""
    woken: list[float] = []

    def wait() -> None:
        follower.wait(5)
        woken.append(time.monotonic())

    waiting = threading.Thread(target=wait)
    waiting.start()
    with postgresql.change("me") as change:
        create_tenant(change, name="a")
        time.sleep(0.2)
        assert woken == []
    committed = time.monotonic()
    waiting.join(5)
    assert woken[0] - committed < 0.1


def test_z40_notification_of_between_is_not_lost(postgresql: Registry, follower: RegistryFollower) -> None:
    """What is committed between two questions, or while something else is read, makes the next wait short."""
    with follower.view(0) as view:
        list_tenants(view)
        with postgresql.change("me") as change:
            create_tenant(change, name="a")
    follower.standing()
    began = time.monotonic()
    follower.wait(5)
    assert time.monotonic() - began < 0.5
    began = time.monotonic()
    follower.wait(0.2)
    assert 0.15 < time.monotonic() - began < 0.5


def test_what_may_be_lost_wakes_nobody(postgresql: Registry, follower: RegistryFollower) -> None:
    """Counts and reports are written down all the time, and are no news."""
    with postgresql.observation() as view:
        list_tenants(view)
    began = time.monotonic()
    follower.wait(0.3)
    assert time.monotonic() - began > 0.25


def test_z36_server_that_is_silent_is_given_up_after_a_second(follower: RegistryFollower, proxy: TcpProxy) -> None:
    """Waiting for news ends in time and says nothing of it; the next question tells."""
    proxy.lose_open()
    follower.wait(0.1)
    began = time.monotonic()
    with pytest.raises(RegistryUnavailable):
        follower.standing()
    assert 0.9 < time.monotonic() - began < 1.5
    with pytest.raises(RegistryUnavailable):
        follower.standing()


def test_z29_lost_connection_ends_the_wait(follower: RegistryFollower, proxy: TcpProxy) -> None:
    """Who follows connects anew, and does not sit the time out."""
    threading.Timer(0.1, proxy.cut).start()
    began = time.monotonic()
    with pytest.raises(RegistryUnavailable):
        follower.wait(5)
    assert time.monotonic() - began < 1


def test_server_that_is_busy_is_given_up_after_a_second(postgresql: Registry, follower: RegistryFollower) -> None:
    """The server ends the question, too."""
    with postgresql.change("me") as change:
        create_tenant(change, name="a")
        change.connection.execute("LOCK TABLE clock IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(RegistryUnavailable):
            follower.standing()
        assert time.monotonic() - began < 1.5


def test_nobody_there(proxy: TcpProxy, url: str) -> None:
    """Refused at once, or within two seconds by a server that swallows; no password in what is said."""
    for fault in ("refuses", "swallows"):
        setattr(proxy, fault, True)
        began = time.monotonic()
        with pytest.raises(RegistryUnavailable) as caught:
            RegistryFollower(url)
        assert time.monotonic() - began < 3
        assert PASSWORD not in "".join(traceback.format_exception(caught.value))
        setattr(proxy, fault, False)
    with pytest.raises(ConfigurationError):
        RegistryFollower("postgresql://[h/d")


@pytest.mark.usefixtures("postgresql")
def test_closing_leaves_no_connection(url: str) -> None:
    """Nor does closing twice matter."""
    closing_it = RegistryFollower(url)
    closing_it.close()
    closing_it.close()
    with closing(psycopg.connect(url, autocommit=True)) as other:
        query = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'sensos-auth follower' AND datname = current_database()"
        )
        give_up_at = time.monotonic() + 5
        while other.execute(query).fetchone() != (0,):
            assert time.monotonic() < give_up_at
            time.sleep(0.01)


def test_z50_program_that_has_become_too_old_is_refused(
    url: str, postgresql: Registry, follower: RegistryFollower
) -> None:
    """In the same snapshot as what it would have read, also where it reads secrets."""
    follower.standing()
    with closing(PostgresqlDatabase(url)) as database:
        migrate(database, 0, CONTRACTED)
    with pytest.raises(ProgramTooOld):
        follower.standing()
    with pytest.raises(ProgramTooOld), follower.view(0) as view:
        raise AssertionError(view)
    with postgresql.view() as view, pytest.raises(ProgramTooOld):
        find_credentials(view, [b"digest"])


def test_z30_answer_of_a_standby_is_believed_nowhere(
    url: str, postgresql: Registry, follower: RegistryFollower
) -> None:
    """A proxy that understands SQL may ask one, over the connection to the primary: here the server says it is one."""
    follower.standing()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE FUNCTION pg_is_in_recovery() RETURNS boolean LANGUAGE sql RETURN true")
        connection.execute(f'ALTER DATABASE "{connection.info.dbname}" SET search_path = public, pg_catalog'.encode())
    with RegistryFollower(url) as misled:
        with pytest.raises(RegistryUnavailable, match="standby"):
            misled.standing()
        with pytest.raises(RegistryUnavailable, match="standby"), misled.view(0) as view:
            raise AssertionError(view)
    with (
        postgresql.view() as view,
        closing(psycopg.connect(url)) as connection,
        pytest.raises(RegistryUnavailable, match="standby"),
    ):
        find_credentials(replace(view, connection=connection), [b"digest"])


@pytest.mark.slow
@pytest.mark.waits
@pytest.mark.timeout(120)
def test_z30_real_standby_is_believed_nowhere() -> None:
    """The same with one of a cluster, over a connection that was made as no node makes it."""
    with postgresql_cluster() as cluster:
        url = cluster.primary.url(cluster.database)
        with closing(PostgresqlDatabase(url)) as database:
            migrate(database, 0)
        with cluster.primary.connection(cluster.database) as connection:
            connection.execute("SET synchronous_commit = remote_apply")
            connection.execute("UPDATE clock SET version = version")  # returns once the standby has it all
        connection = psycopg.connect(cluster.standby.url(cluster.database), autocommit=True)
        with RegistryFollower(url) as follower, closing(connection):
            follower.standing()
            follower.close()
            follower._connection = connection  # type: ignore[assignment]
            with pytest.raises(RegistryUnavailable, match="standby"):
                follower.standing()
            with pytest.raises(RegistryUnavailable, match="standby"), follower.view(0) as view:
                raise AssertionError(view)
            with pytest.raises(RegistryUnavailable, match="standby"):
                find_credentials(View(connection, load_statements("psycopg"), 0), [b"digest"])
