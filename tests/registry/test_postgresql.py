import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from threading import Barrier

import psycopg
import pytest

from sensos_auth.model.errors import ConfigurationError, NotFound, RegistryUnavailable
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.following import RegistryFollower
from sensos_auth.registry.lease import LEASE
from sensos_auth.registry.postgresql import MOST_CONNECTIONS, PostgresqlDatabase
from sensos_auth.registry.postgresql_connection import LONGEST_ANSWER
from sensos_auth.registry.tenant_deletion import delete_tenant
from sensos_auth.registry.tenants import create_tenant, disable_tenant, enable_tenant, list_tenants
from tests.postgresql_server import PASSWORD, new_database_url, reached_over_tcp
from tests.registries import Clock, Place
from tests.tcp_proxy import TcpProxy, tcp_proxy


@pytest.fixture
def postgresql(clock: Clock) -> Iterator[Place]:
    """Return where a registry on PostgreSQL is kept."""
    place = Place("postgresql", new_database_url(), clock)
    yield place
    place.close()


@pytest.fixture
def behind_proxy(clock: Clock) -> Iterator[tuple[Place, TcpProxy]]:
    """Return where a registry on PostgreSQL is kept, and what all connections to it go through."""
    with reached_over_tcp(new_database_url()) as (proxy, url):
        place = Place("postgresql", url, clock)
        yield place, proxy
        place.close()


def test_server_out_of_reach_is_registry_unavailable() -> None:
    """No server at the address: RegistryUnavailable, which says neither user nor password."""
    with pytest.raises(RegistryUnavailable) as caught:
        PostgresqlDatabase("postgresql://somebody:canary@127.0.0.1:1/registry")
    assert "canary" not in str(caught.value)


def test_first_host_that_is_silent_is_passed_over(behind_proxy: tuple[Place, TcpProxy]) -> None:
    """A machine that is switched off, or behind a firewall, does not answer at all: the next in the URL is the one."""
    place, proxy = behind_proxy
    place.open()
    with tcp_proxy(proxy.target_port) as silent:
        silent.swallows = True
        url = place.address.replace(f":{proxy.port}/", f":{silent.port},127.0.0.1:{proxy.port}/")
        for _ in range(2):
            began = time.monotonic()
            with closing(open_registry(url)) as registry, registry.view() as view:
                assert list_tenants(view) == []
            assert time.monotonic() - began < 3
        with closing(open_registry(url)) as registry:
            silent.swallows = False
            _refuse(proxy)
            with registry.view() as view:  # from whichever host is there
                assert list_tenants(view) == []


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


def test_options_of_the_url_hold_beside_ours(postgresql: Place) -> None:
    """A schema to be in, for instance; what bounds our waiting stays as it is."""
    with psycopg.connect(postgresql.address, autocommit=True) as other:
        other.execute("CREATE SCHEMA apart")
    options = "options=-c%20search_path%3Dapart%20-c%20statement_timeout%3D0"
    place = Place("postgresql", f"{postgresql.address}&{options}", postgresql.clock)
    with closing(place), place.open().view() as view, RegistryFollower(place.address) as follower:
        for connection in (view.connection, follower._connection):
            shown = [connection.execute(f"SHOW {name}").fetchone() for name in ("search_path", "statement_timeout")]
            assert shown[0] == ("apart",)
            assert shown[1] in {("5s",), ("1s",)}
        row = view.connection.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'clock'").fetchone()
    assert row == ("apart",)


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_changes_at_once_all_succeed_whatever_isolation_the_server_is_set_to(postgresql: Place, isolation: str) -> None:
    """A snapshot that is older than the turn of its writer would have it fail: the one before has changed the clock."""
    postgresql.open()
    with psycopg.connect(postgresql.address, autocommit=True) as other:
        name = other.info.dbname
        other.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = '{isolation}'".encode())
    registry = postgresql.open()

    def write(number: int) -> None:
        with registry.another().change("me") as change:
            create_tenant(change, name=f"tenant {number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(40)))
    with registry.view() as view:
        assert len(list_tenants(view)) == 40


@pytest.mark.parametrize("ahead", [-25 * 3600, -6, 6, 3600])
def test_nothing_is_changed_by_a_machine_with_a_wrong_clock(postgresql: Place, ahead: int) -> None:
    """What it took away would have an end that is over, or a beginning that is to come: it is told to set its clock."""
    with postgresql.open().change("me") as change:
        tenant = create_tenant(change, name="a")
    with closing(PostgresqlDatabase(postgresql.address, clock=lambda: time.time() + ahead)) as database:
        registry = Registry(database, clock=lambda: int((time.time() + ahead) * 1000))
        for each in (registry, registry.another()):
            refused = pytest.raises(RegistryUnavailable, match=f"clocks .* differ by {abs(ahead)} s")
            with refused, each.change("me") as change:
                disable_tenant(change, tenant.tenant_id)
            with each.view() as view:
                assert [tenant.disabled_at for tenant in list_tenants(view)] == [None]


@pytest.mark.parametrize("ahead", [-4, 4])
def test_clocks_differ_by_a_little_everywhere(postgresql: Place, ahead: int) -> None:
    """As far as a node is ready with, changes are made; and waiting for one's turn is no difference."""
    turn = postgresql.open()
    with closing(PostgresqlDatabase(postgresql.address, clock=lambda: time.time() + ahead)) as database:
        registry = Registry(database)

        def write() -> None:
            with registry.change("me") as change:
                create_tenant(change, name="a")

        with ThreadPoolExecutor(1) as pool:
            with turn.change("me") as change:
                create_tenant(change, name="b")
                waiting = pool.submit(write)
                time.sleep(1.5)
            waiting.result(5)


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


def test_who_hears_that_it_is_gone_already_hears_it_when_no_node_goes_by_it(postgresql: Place) -> None:
    """The second of two who delete the same is not told before the first: it takes NotFound for success."""
    with postgresql.open().change("me") as change:
        tenant = create_tenant(change, name="a")
    committed_at: list[float] = []
    first, second = Registry(postgresql.connect()), Registry(postgresql.connect())

    def settle(seconds: float) -> None:
        committed_at.append(time.monotonic())
        time.sleep(seconds)

    def delete(registry: Registry) -> None:
        with registry.change("me") as change:
            delete_tenant(change, tenant.tenant_id)

    first.settle = settle
    with ThreadPoolExecutor(1) as pool:
        deleted = pool.submit(delete, first)
        while not committed_at:
            time.sleep(0.001)
        with pytest.raises(NotFound):
            delete(second)
        assert time.monotonic() - committed_at[0] > LEASE
        deleted.result(5)


def test_connection_lost_in_the_middle_leaves_nothing(postgresql: Place) -> None:
    """A change whose connection ends before the commit has not happened."""
    registry, other = postgresql.open(), psycopg.connect(postgresql.address, autocommit=True)
    with other:
        with pytest.raises(RegistryUnavailable), registry.change("me") as change:  # noqa: PT012 - lost before the commit
            create_tenant(change, name="a")
            other.execute("SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with postgresql.open().view() as view:
            assert list_tenants(view) == []


@pytest.fixture
def without_standby(postgresql: Place) -> Iterator[psycopg.Connection]:
    """Return another connection to the server, which waits with each commit for a standby that never answers."""
    postgresql.open()
    with psycopg.connect(postgresql.address, autocommit=True) as other:
        other.execute("SET synchronous_commit = local")
        other.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        other.execute("SELECT pg_reload_conf()")
        yield other
        other.execute("ALTER SYSTEM RESET synchronous_standby_names")
        other.execute("SELECT pg_reload_conf()")


def test_z32_commit_whose_standby_was_not_waited_for_is_no_success(
    postgresql: Place, without_standby: psycopg.Connection
) -> None:
    """Somebody cancels the wait: the server warns, and says that it has committed. Who asked is told so."""
    registry = Registry(postgresql.connect())
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()"

    def cancel() -> None:
        while not (row := without_standby.execute(waiting).fetchone()):
            time.sleep(0.01)
        without_standby.execute("SELECT pg_cancel_backend(%s)", row)

    with ThreadPoolExecutor(1) as other_thread:
        cancelled = other_thread.submit(cancel)
        with pytest.raises(RegistryUnavailable, match="unknown"), registry.change("me") as change:
            create_tenant(change, name="a")
        cancelled.result(5)
    with registry.view() as view:
        assert [tenant.name for tenant in list_tenants(view)] == ["a"]


def test_z32_commit_that_no_standby_confirms_is_no_success(
    postgresql: Place, without_standby: psycopg.Connection
) -> None:
    """Nobody cancels: after six seconds it counts as unknown. What may be lost anyhow waits for no standby."""
    registry = Registry(postgresql.connect())
    with registry.observation() as view:
        list_tenants(view)
    began = time.monotonic()
    with pytest.raises(RegistryUnavailable), registry.change("me") as change:
        create_tenant(change, name="a")
    assert LONGEST_ANSWER - 0.5 < time.monotonic() - began < LONGEST_ANSWER + 2.5
    ended = without_standby.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    )
    assert ended.fetchone() == (1,)


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


def _read_at_once(registry: Registry, threads: int) -> None:
    """Read in several threads at the same time, so that the pool has as many connections."""
    together = Barrier(threads)

    def read(_: int) -> None:
        with registry.another().view() as view:
            together.wait(5)
            list_tenants(view)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, range(threads)))


def test_z36_connections_that_died_in_silence_are_all_replaced_in_a_second(
    behind_proxy: tuple[Place, TcpProxy],
) -> None:
    """A firewall has forgotten them, and answers for the server. The first who asks waits a moment."""
    place, proxy = behind_proxy
    registry = place.open()
    _read_at_once(registry, MOST_CONNECTIONS)
    proxy.lose_open()
    took = []
    for _ in range(MOST_CONNECTIONS):
        began = time.monotonic()
        with registry.change("me") as change:
            create_tenant(change, name="a")
        took.append(time.monotonic() - began)
    assert took[0] < 1
    assert max(took[1:]) < 0.5


def test_z36_server_that_swallows_is_given_up_after_six_seconds(behind_proxy: tuple[Place, TcpProxy]) -> None:
    """Also when it falls silent in the middle of a change; what was asked last is not answered to another."""
    place, proxy = behind_proxy
    registry = place.open()
    with pytest.raises(RegistryUnavailable) as caught, registry.change("me") as change:  # noqa: PT012 - it hangs
        create_tenant(change, name="a")
        proxy.swallows = True
        began = time.monotonic()
        list_tenants(change)
    assert LONGEST_ANSWER - 0.5 < time.monotonic() - began < LONGEST_ANSWER + 2.5
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    proxy.swallows = False
    proxy.cut()  # as the server's own keep-alives would
    with registry.change("me") as change:
        create_tenant(change, name="b")
    with registry.view() as view:
        assert [tenant.name for tenant in list_tenants(view)] == ["b"]


def test_z36_server_that_is_out_of_reach_from_now_on(behind_proxy: tuple[Place, TcpProxy]) -> None:
    """Whoever asks meanwhile is told within a second; when it is back, the next one is answered."""
    place, proxy = behind_proxy
    registry = place.open()
    for make_unreachable, mend in ((_refuse, _accept), (_swallow, _pass_on)):
        make_unreachable(proxy)
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(RegistryUnavailable), registry.view():
                pass
            assert time.monotonic() - began < 1.5
        mend(proxy)
        began = time.monotonic()
        while time.monotonic() - began < 5:
            with suppress(RegistryUnavailable), registry.view() as view:
                list_tenants(view)
                break
        assert time.monotonic() - began < 3


def _refuse(proxy: TcpProxy) -> None:
    proxy.refuses = True
    proxy.cut()


def _accept(proxy: TcpProxy) -> None:
    proxy.refuses = False


def _swallow(proxy: TcpProxy) -> None:
    proxy.swallows = True


def _pass_on(proxy: TcpProxy) -> None:
    proxy.swallows = False


def test_z37_threads_of_a_worker_never_wait_for_a_connection(postgresql: Place) -> None:
    """One is stuck in its change, and four wait behind it: there is a connection left for who reads."""
    registry = postgresql.open()
    stuck = threading.Event()

    def write(_: int) -> bool:
        try:
            with registry.another().change("me") as change:
                create_tenant(change, name="a")
        except RegistryUnavailable:
            return False
        return True

    def hang() -> None:
        with registry.another().change("me") as change:
            create_tenant(change, name="a")
            stuck.set()
            time.sleep(3)

    with ThreadPoolExecutor(5) as pool:
        hanging = pool.submit(hang)
        stuck.wait(5)
        waiting = [pool.submit(write, number) for number in range(MOST_CONNECTIONS - 2)]
        slowest = 0.0
        while not all(each.done() for each in waiting):
            began = time.monotonic()
            with registry.view() as view:
                list_tenants(view)
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.01)
        hanging.result()
    assert [each.result() for each in waiting] == [False] * len(waiting)
    assert slowest < 0.5
    assert write(0)
