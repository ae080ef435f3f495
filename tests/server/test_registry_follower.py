"""What a node on PostgreSQL hears of the registry, and what it makes of silence."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from sensos_auth.issuing.key_rotation import keep_keys_current, rotate
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.model.revocation import Provenance
from sensos_auth.registry.applications import create_application, disable_application
from sensos_auth.registry.held_credentials import NEW_SECRETS
from sensos_auth.registry.lease import LEASE
from sensos_auth.registry.migrating import migrate
from sensos_auth.registry.postgresql import PostgresqlDatabase
from sensos_auth.registry.revocations import revocation_page, revoke_token
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.signing_keys import signing_keys_version
from sensos_auth.registry.tenant_deletion import delete_tenant
from sensos_auth.registry.tenants import create_tenant
from sensos_auth.registry.transactions import Change, Registry
from sensos_auth.server import registry_follower
from sensos_auth.server.registry_follower import FollowedRegistry
from sensos_auth.verifying import RevocationsUnavailable
from sensos_auth.verifying.boot_clock import seconds_since_boot
from tests.issuing.deployment import MASTER_KEY
from tests.nodes.switchable_proxy import running_proxies
from tests.postgresql_server import PASSWORD, new_database_url, reached_over_tcp
from tests.registries import Clock, Place
from tests.registry.test_program_age import CONTRACTED
from tests.tcp_proxy import TcpProxy

ISSUER = "https://auth.example"


class Site:
    """A registry on PostgreSQL, reached directly, and a node that follows it through a proxy."""

    def __init__(self, url: str, through_proxy: str, proxy: TcpProxy) -> None:
        self.place = Place("postgresql", url, Clock())
        self.registry = self.place.open()
        self.proxy = proxy
        self.through_proxy = through_proxy
        self.clock: Callable[[], float] = time.time
        self.node = FollowedRegistry(through_proxy, ISSUER, self.place.open, self.utc_seconds)

    def utc_seconds(self) -> float:
        """Return the time, as the node believes it to be."""
        return self.clock()

    def start(self) -> FollowedRegistry:
        """Start the node, and return it once it has heard."""
        self.node.start()
        wait_until(lambda: self.node.lease.confirmed.until > 0)
        return self.node

    def change(self, act: Callable[..., Any], *arguments: object, **more: object) -> int:
        """Change the registry, and return the version."""
        with self.registry.change("me") as change:
            act(change, *arguments, **more)
        return change.version

    def wait_until_heard(self, version: int) -> None:
        """Return when the node has confirmed the version."""
        wait_until(lambda: self.node.lease.confirmed.version >= version)


def wait_until(is_so: Callable[[], bool], seconds: float = 5.0) -> float:
    """Return how many seconds it took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() < began + seconds
        time.sleep(0.002)
    return time.monotonic() - began


@pytest.fixture
def site() -> Iterator[Site]:
    """Return a registry, and a node that has not started."""
    url = new_database_url()
    with reached_over_tcp(url) as (proxy, through_proxy):
        site = Site(url, through_proxy, proxy)
        yield site
        if site.node._thread.ident is not None:
            site.node.close()
            assert not site.node._thread.is_alive()
        site.place.close()


def _is_confirmed(node: FollowedRegistry) -> bool:
    return seconds_since_boot() < node.lease.confirmed.until


def test_node_that_has_not_heard_yet_says_so(site: Site) -> None:
    """It knows no keys, no revocations and no version, and is not ready."""
    node = site.node
    for ask, error in (
        (node.keys.version, RegistryUnavailable),
        (node.keys.read, RegistryUnavailable),
        (node.revocations.generation, RevocationsUnavailable),
        (node.check_ready, RegistryUnavailable),
    ):
        with pytest.raises(error):
            ask()
    assert node.version() == 0
    assert not _is_confirmed(node)


def test_lease_goes_on_while_the_registry_answers(site: Site) -> None:
    """Without a gap, though nothing changes."""
    node = site.start()
    node.check_ready()
    until = time.monotonic() + 2
    gaps = 0
    while time.monotonic() < until:
        gaps += not _is_confirmed(node)
        assert node.lease.confirmed.until <= seconds_since_boot() + LEASE
        time.sleep(0.005)
    assert gaps <= 20  # a tenth of a second, for a machine that is busy


def test_change_is_heard_of_within_milliseconds(site: Site) -> None:
    """What was changed is named before its version is confirmed; what was not, is not."""
    version = site.change(create_tenant, name="a")
    node = site.start()
    took = []
    application_id = ""
    for _ in range(10):
        with site.registry.change("me") as change:
            tenant_id = create_tenant(change, name="a").tenant_id
            application_id = create_application(change, tenant_id=tenant_id, name="b").application_id
        began = time.monotonic()
        site.wait_until_heard(change.version)
        took.append(time.monotonic() - began)
        assert node.version() == change.version
        assert node.lease.has_changed(change.version - 1, application_id)
        assert node.lease.has_changed(change.version - 1, tenant_id)
        assert not node.lease.has_changed(change.version, application_id, tenant_id)
        assert not node.lease.has_changed(version, NEW_SECRETS)
    assert sorted(took)[5] < 0.05
    version = site.change(create_secret, application_id=application_id)
    site.wait_until_heard(version)
    assert node.lease.has_changed(version - 1, NEW_SECRETS)


def test_what_was_before_the_start_counts_as_changed(site: Site) -> None:
    """What was read by an earlier version, over another connection, may be anything."""
    version = site.change(create_tenant, name="a")
    node = site.start()
    assert node.lease.has_changed(version - 1, "app_whatever")
    assert not node.lease.has_changed(version, "app_whatever")


def test_z40_change_without_a_notification_is_heard_of_within_a_lease(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notification is lost: the question that is asked anyway finds it."""
    node = site.start()
    monkeypatch.setattr("sensos_auth.registry.postgresql.CHANNEL", "elsewhere")
    version = site.change(create_tenant, name="a")
    assert wait_until(lambda: node.lease.confirmed.version >= version) < LEASE


def test_more_changes_than_can_be_told_apart(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """All counts as changed, in one change or in many; and afterwards they are told apart again."""
    monkeypatch.setattr(registry_follower, "_MOST_EVENTS", 10)
    node = site.start()
    site.wait_until_heard(site.change(create_tenant, name="a"))
    for events in (8, 9, 10, 35):

        def make_many(change: Any, count: int = events) -> None:  # noqa: ANN401 - as they come
            for _ in range(count):
                create_tenant(change, name="b")

        version = site.change(make_many)
        site.wait_until_heard(version)
        assert node.lease.has_changed(version - 1, "app_whatever") is (events >= 10)
        assert not node.lease.has_changed(version, "app_whatever")
        after = site.change(create_tenant, name="c")
        site.wait_until_heard(after)
        assert not node.lease.has_changed(version, "app_whatever")


def test_change_with_more_events_than_are_looked_at_is_no_registry_that_went_back(site: Site) -> None:
    """A tenant of 1 050 applications is deleted at once: what comes next is heard of by name."""
    node = site.start()
    tenant_ids: list[str] = []

    def make_many(change: Change) -> None:
        tenant_ids.append(create_tenant(change, name="a").tenant_id)
        for _ in range(1_050):
            create_application(change, tenant_id=tenant_ids[0], name="b")

    with capture_logs() as lines:
        for act in (make_many, lambda change: delete_tenant(change, tenant_ids[0])):
            version = site.change(act)
            site.wait_until_heard(version)
            assert node.lease.has_changed(version - 1, "app_whatever")
            after = site.change(create_tenant, name="c")
            site.wait_until_heard(after)
            assert not node.lease.has_changed(version, "app_whatever")
    assert lines == []


def test_keys_are_there_before_their_version_is_confirmed(site: Site) -> None:
    """Whoever finds a credential with a newer version of the keys finds the keys."""
    first = keep_keys_current(site.registry, MASTER_KEY, "ES256")
    assert first is not None
    node = site.start()
    assert [key.kid for key in node.keys.read().keys] == [first.kid]
    rotate(site.registry, MASTER_KEY, "ES256", immediately=False, actor="me")
    version = _keys_version(site)
    while node.lease.confirmed.signing_keys_version < version:
        assert node.keys.version() >= node.lease.confirmed.signing_keys_version
    assert node.keys.version() == version
    assert len(node.keys.read().keys) == 2


def _keys_version(site: Site) -> int:
    with site.registry.view() as view:
        return signing_keys_version(view)


def test_z50_node_that_has_become_too_old_refuses_until_the_registry_is_one_that_it_knows(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so once, with what to do; it confirms nothing, gives out no keys and is not ready."""
    monkeypatch.setattr(registry_follower, "_TOO_OLD_FOR", 0.05)
    keep_keys_current(site.registry, MASTER_KEY, "ES256")
    node = site.start()
    node.check_ready()
    with capture_logs() as lines, closing(PostgresqlDatabase(site.place.address)) as database:
        migrate(database, int(time.time()), CONTRACTED)
        assert wait_until(lambda: not _is_confirmed(node)) < LEASE + 0.1
        for ask in (node.check_ready, node.keys.version, node.keys.read):
            with pytest.raises(RegistryUnavailable, match="start the newer release"):
                ask()
        time.sleep(0.3)
        assert [(line["event"], line["log_level"]) for line in lines] == [("program too old for the registry", "error")]
        with database.write() as connection:
            connection.execute("UPDATE clock SET oldest_program = 4")
        wait_until(lambda: _is_confirmed(node))
        node.check_ready()
    assert lines[-1]["event"] == "program works on the registry again"
    assert node.keys.version() == _keys_version(site)


def test_revocations_are_heard_of_page_by_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start all of them before anything is said, later each within milliseconds."""
    monkeypatch.setattr(
        registry_follower, "revocation_page", lambda view, issuer, since: revocation_page(view, issuer, since, 2)
    )
    for number in range(7):
        site.change(revoke_token, f"token{number}")
    node = site.start()
    wait_until(lambda: node.revocations.are_whole)
    assert all(node.revocations.voids(_token(f"token{number}")) for number in range(7))
    assert not node.revocations.voids(_token("other"))
    before = node.revocations.generation()
    site.change(revoke_token, "other")
    assert wait_until(lambda: node.revocations.voids(_token("other"))) < 0.2
    wait_until(lambda: node.revocations.generation() > before)


def _token(token_id: str) -> Provenance:
    return Provenance(token_id=token_id, credential_id="sec", application_id="app", tenant_id="ten", kid="k", version=1)


def _refuse(proxy: TcpProxy) -> None:
    proxy.refuses = True
    proxy.cut()


def _accept(proxy: TcpProxy) -> None:
    proxy.refuses = False


def _swallow(proxy: TcpProxy) -> None:
    proxy.swallows = True


def _pass_on(proxy: TcpProxy) -> None:
    proxy.swallows = False


FAULTS = {"refused": (_refuse, _accept), "swallowed": (_swallow, _pass_on)}


@pytest.mark.parametrize("fault", FAULTS)
def test_z35_node_that_is_cut_off(site: Site, fault: str) -> None:
    """It goes by nothing after a lease, is not ready after two, lets nobody wait after three; and comes back.

    A balancer has time to notice before who waits is sent away. It tells of the beginning and of the end, and not of
    its attempts; the password is in none of it.
    """
    break_it, mend = FAULTS[fault]
    node = site.start()
    with capture_logs() as lines:
        break_it(site.proxy)
        began = time.monotonic()
        version = site.change(create_tenant, name="a")
        wait_until(lambda: not _is_confirmed(node))
        assert time.monotonic() - began < LEASE + 0.1
        wait_until(lambda: _raises(node.check_ready))
        unready_at = time.monotonic()
        assert unready_at - began < 2 * LEASE + 0.1
        wait_until(lambda: _raises(node.version))
        assert 0.2 < time.monotonic() - unready_at < LEASE + 0.1
        assert node.lease.confirmed.version < version
        mend(site.proxy)
        assert wait_until(lambda: node.lease.confirmed.version == version) < 3
        assert node.version() == version
        node.check_ready()
        wait_until(lambda: len(lines) >= 2)
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("registry out of reach", "warning"),
        ("registry reached again", "info"),
    ]
    assert PASSWORD not in str(lines)


def test_z37_database_that_is_slow_but_answers_is_not_silent(site: Site) -> None:
    """30 ms in each direction, and always something to read: the node is ready, and polls may wait there."""
    with running_proxies() as proxies:
        slow = proxies.to(site.proxy.port)
        url = site.through_proxy.replace(f":{site.proxy.port}/", f":{slow.port}/")
        site.node = FollowedRegistry(url, ISSUER, site.place.open)
        node = site.start()
        wait_until(lambda: not _raises(node.check_ready))
        slow.delay(0.03)
        until = time.monotonic() + 3
        number = 0
        while time.monotonic() < until:
            site.change(revoke_token, f"token{number}")
            number += 1
            over_at = time.monotonic() + 0.1
            while time.monotonic() < over_at:
                node.check_ready()
                node.version()
                time.sleep(0.005)
        node.close()


def test_z35_cut_off_node_vouches_for_what_it_holds_for_a_while_only(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have missed a revocation: after the limit nothing is verified, until the registry is heard again."""
    monkeypatch.setattr(registry_follower, "_VERIFIES_FOR", 1.0)
    node = site.start()
    wait_until(lambda: node.revocations.are_whole)
    generation = node.revocations.generation()
    time.sleep(1.2)
    assert node.revocations.generation() == generation  # nothing has changed, and it is heard of all the while
    site.proxy.swallows = True
    cut_off_at = time.monotonic()
    site.change(revoke_token, "missed")
    while time.monotonic() < cut_off_at + 0.8:
        assert node.revocations.generation() == generation
        time.sleep(0.05)
    time.sleep(0.3)
    with pytest.raises(RevocationsUnavailable, match="out of reach"):
        node.revocations.generation()
    site.proxy.swallows = False
    wait_until(lambda: not _raises(node.revocations.generation))
    assert node.revocations.voids(_token("missed"))


def _raises(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except (RegistryUnavailable, RevocationsUnavailable):
        return True
    return False


def test_z40_lost_connection_is_replaced_and_nothing_of_between_is_missed(site: Site) -> None:
    """It dies in silence, or is cut, right before a change: heard of in time, and by name."""
    node = site.start()
    for lose, within in ((site.proxy.cut, 1.0), (site.proxy.lose_open, 2.0)):
        with site.registry.change("me") as change:
            tenant_id = create_tenant(change, name="a").tenant_id
            application_id = create_application(change, tenant_id=tenant_id, name="b").application_id
        site.wait_until_heard(change.version)
        lose()
        version = site.change(disable_application, application_id)
        assert wait_until(lambda expected=version: node.lease.confirmed.version == expected) < within  # type: ignore[misc]
        assert node.lease.has_changed(version - 1, application_id)
        assert not node.lease.has_changed(version - 1, "app_of_somebody_else")


def test_clocks_that_differ_are_told_and_the_node_is_not_ready(site: Site) -> None:
    """By more than five seconds, in either direction; until they agree again."""
    node = site.start()
    with capture_logs() as lines:
        for skew in (-6.0, 6.0):
            site.clock = lambda by=skew: time.time() + by  # type: ignore[misc]
            wait_until(lambda: _raises(node.check_ready))
            assert _is_confirmed(node)
            site.clock = time.time
            wait_until(lambda: not _raises(node.check_ready))
    assert [line["event"] for line in lines] == [
        "clock differs from the registry's",
        "clock agrees with the registry's again",
    ] * 2
    assert [line["seconds"] for line in lines[::2]] == [pytest.approx(-6, abs=0.3), pytest.approx(6, abs=0.3)]


def test_what_nobody_expected_ends_nothing(site: Site) -> None:
    """A table is missing for a while: told once, as a defect; and all is well when it is back."""
    node = site.start()
    with capture_logs() as lines, psycopg.connect(site.place.address, autocommit=True) as other:
        other.execute("ALTER TABLE clock RENAME TO away")
        wait_until(lambda: not _is_confirmed(node))
        time.sleep(1)
        other.execute("ALTER TABLE away RENAME TO clock")
        wait_until(lambda: _is_confirmed(node))
        wait_until(lambda: len(lines) >= 2)
    assert [(line["event"], line.get("exception")) for line in lines] == [
        ("registry could not be followed", "UndefinedTable"),
        ("registry reached again", None),
    ]


def test_node_ends_at_once(site: Site) -> None:
    """Also in the middle of a wait."""
    node = site.start()
    began = time.monotonic()
    node.close()
    assert time.monotonic() - began < 0.5
    assert not node._thread.is_alive()


def test_log_line_names_no_host_that_is_not_found() -> None:
    """Where the password was written wrongly, part of it would be taken for the host."""

    def open_registry() -> Registry:
        raise AssertionError

    with capture_logs() as lines:
        node = FollowedRegistry("postgresql://user:secret@canary.invalid/auth", "https://auth.example", open_registry)
        node.start()
        wait_until(lambda: bool(lines))
        node.close()
    assert lines[0]["event"] == "registry out of reach"
    assert "resolve" in lines[0]["reason"]
    assert "canary" not in str(lines)
