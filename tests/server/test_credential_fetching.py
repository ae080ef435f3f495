"""Credentials that a node does not hold are read for the requests that wait for them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain

import psycopg
import pytest
from structlog.testing import capture_logs

from sensos_auth.model.application_secret import digest, new_secret
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry.applications import create_application
from sensos_auth.registry.credential_questions import CredentialQuestions
from sensos_auth.registry.credentials import NotHeld, ReadTogether
from sensos_auth.registry.held_credentials import HeldCredentials
from sensos_auth.registry.lease import LEASE, Lease
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.tenants import create_tenant
from sensos_auth.server import credential_fetching
from sensos_auth.server.credential_fetching import CredentialFetching
from sensos_auth.verifying.boot_clock import seconds_since_boot
from tests.postgresql_server import new_database_url, reached_over_tcp
from tests.registries import Clock, Place
from tests.tcp_proxy import TcpProxy

_LONGEST = 2 * LEASE


class Site:
    """A registry on PostgreSQL, and a node that reads credentials from it through a proxy."""

    def __init__(self, url: str, through_proxy: str, proxy: TcpProxy) -> None:
        self.place = Place("postgresql", url, Clock())
        self.registry = self.place.open()
        self.proxy = proxy
        self.clock: Callable[[], float] = lambda: 0.0  # so that what was read once stays good
        self.held = HeldCredentials(Lease(), self.seconds)
        self.fetching = CredentialFetching(through_proxy, self.held)

    def seconds(self) -> float:
        """Return the time, for what is held."""
        return self.clock()

    def secrets(self, count: int) -> list[bytes]:
        """Make so many secrets, and return their digests."""
        with self.registry.change("me") as change:
            tenant = create_tenant(change, name="Acme")
            application = create_application(change, tenant_id=tenant.tenant_id, name="Pump")
            return [
                digest(create_secret(change, application_id=application.application_id).shown) for _ in range(count)
            ]

    def run(self, use: Callable[[], Awaitable[None]]) -> None:
        """Run the coroutine function while credentials are fetched."""

        async def whole() -> None:
            self.fetching.start()
            try:
                await use()
            finally:
                self.fetching.close()
                assert not self.fetching._thread.is_alive()

        asyncio.run(whole())


@pytest.fixture
def site() -> Iterator[Site]:
    """Return a registry, and a node that has not started."""
    url = new_database_url()
    with reached_over_tcp(url) as (proxy, through_proxy):
        site = Site(url, through_proxy, proxy)
        yield site
        site.place.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[bytes]]:
    """Return a list that gets the digests of each question to the registry."""
    asked: list[list[bytes]] = []
    ask = CredentialQuestions.ask

    def noted(questions: CredentialQuestions, digests: list[bytes]) -> ReadTogether:
        asked.append(digests)
        return ask(questions, digests)

    monkeypatch.setattr(CredentialQuestions, "ask", noted)
    monkeypatch.setattr(credential_fetching, "_LONGEST_WAIT", 10.0)  # many at once on a busy machine take a while
    return asked


async def _refused(site: Site, wanted: bytes) -> float:
    began = time.monotonic()
    with pytest.raises(RegistryUnavailable):
        await site.fetching.fetch(wanted)
    return time.monotonic() - began


def test_what_was_fetched_is_held(site: Site) -> None:
    """A secret that is known, and one that is not."""
    (known,), unknown = site.secrets(1), digest(new_secret())

    async def use() -> None:
        for wanted in (known, unknown):
            with pytest.raises(NotHeld):
                site.held.find(wanted)
            await site.fetching.fetch(wanted)
        assert site.held.find(known) is not None
        assert site.held.find(unknown) is None

    site.run(use)


def test_each_is_asked_for_once_however_many_wait(site: Site, asked: list[list[bytes]]) -> None:
    """A thousand requests at once, for ten secrets that nobody holds yet: ten look-ups, in a few questions."""
    wanted = site.secrets(10)

    async def use() -> None:
        await asyncio.gather(*(site.fetching.fetch(each) for _ in range(100) for each in wanted))
        assert all(site.held.find(each) for each in wanted)

    site.run(use)
    assert sorted(chain.from_iterable(asked)) == sorted(wanted)
    assert len(asked) <= 3


def test_many_at_once_are_asked_for_together(site: Site, asked: list[list[bytes]]) -> None:
    """Up to five hundred in a question."""
    wanted = site.secrets(20) + [digest(new_secret()) for _ in range(1_480)]

    async def use() -> None:
        await asyncio.gather(*map(site.fetching.fetch, wanted))

    site.run(use)
    assert sorted(chain.from_iterable(asked)) == sorted(wanted)
    assert max(map(len, asked)) <= 500
    assert len(asked) <= 6


def test_what_was_fetched_is_good_from_before_it_was_asked_for(site: Site) -> None:
    """The registry took its time: that much less of the lease is left."""
    (wanted,) = site.secrets(1)
    site.clock = seconds_since_boot

    async def use() -> None:
        await site.fetching.fetch(digest(new_secret()))  # so that it is connected
        began = seconds_since_boot()
        with psycopg.connect(site.place.address) as other:
            other.execute("LOCK TABLE secrets IN ACCESS EXCLUSIVE MODE")
            fetching = asyncio.ensure_future(site.fetching.fetch(wanted))
            await asyncio.sleep(0.15)
            assert not fetching.done()
        await fetching
        assert site.held.find(wanted) is not None
        await asyncio.sleep(began + LEASE + 0.02 - seconds_since_boot())
        with pytest.raises(NotHeld):
            site.held.find(wanted)

    site.run(use)


def test_request_that_is_cancelled_takes_nobody_with_it(site: Site, asked: list[list[bytes]]) -> None:
    """The client hung up; the others who wait for the same secret get it, and so does whoever comes later."""
    (wanted,) = site.secrets(1)

    async def use() -> None:
        with psycopg.connect(site.place.address) as other:
            other.execute("LOCK TABLE secrets IN ACCESS EXCLUSIVE MODE")
            first, second, third = (asyncio.ensure_future(site.fetching.fetch(wanted)) for _ in range(3))
            await asyncio.sleep(0.05)
            first.cancel()
            third.cancel()
        await second
        assert first.cancelled()
        assert third.cancelled()
        await site.fetching.fetch(wanted)
        assert site.held.find(wanted) is not None

    site.run(use)
    assert asked == [[wanted], [wanted]]


def test_z35_registry_out_of_reach(site: Site) -> None:
    """Whoever waits is told after two leases at the latest; others go on meanwhile; and it mends by itself."""
    (wanted,) = site.secrets(1)

    async def use() -> None:
        await site.fetching.fetch(wanted)
        for fault in ("refuses", "swallows"):
            setattr(site.proxy, fault, True)
            if fault == "refuses":
                site.proxy.cut()
            slowest = 0.0
            waiting = asyncio.gather(*(_refused(site, digest(new_secret())) for _ in range(50)))
            while not waiting.done():
                began = time.monotonic()
                await asyncio.sleep(0.005)
                slowest = max(slowest, time.monotonic() - began)
            assert max(await waiting) < _LONGEST + 0.2
            assert slowest < 0.2
            setattr(site.proxy, fault, False)
            began = time.monotonic()
            while True:
                try:
                    await site.fetching.fetch(wanted)
                    break
                except RegistryUnavailable:
                    await asyncio.sleep(0.01)
            assert time.monotonic() - began < 3

    site.run(use)


def test_too_many_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is told at once; once they have been told, there is room again."""
    monkeypatch.setattr(credential_fetching, "_MOST_WAITING", 20)
    (wanted,) = site.secrets(1)

    async def use() -> None:
        await site.fetching.fetch(wanted)
        site.proxy.swallows = True
        waiting = [asyncio.ensure_future(_refused(site, digest(new_secret()))) for _ in range(20)]
        await asyncio.sleep(0.01)
        assert await _refused(site, wanted) < 0.1
        assert min(await asyncio.gather(*waiting)) > 0.3
        assert await _refused(site, wanted) < 0.1  # they wait no longer, but are still being asked for
        site.proxy.swallows = False
        site.proxy.cut()
        await asyncio.wait(site.fetching._waiting.values(), timeout=5)
        await site.fetching.fetch(wanted)

    site.run(use)


def test_what_nobody_expected_ends_nothing(site: Site) -> None:
    """Whoever asked is told, the log says so once, and all is well when it is."""
    (wanted,) = site.secrets(1)

    async def use() -> None:
        with capture_logs() as lines, psycopg.connect(site.place.address, autocommit=True) as other:
            other.execute("ALTER TABLE tenants RENAME TO away")
            for _ in range(3):
                await _refused(site, wanted)
            other.execute("ALTER TABLE away RENAME TO tenants")
            await site.fetching.fetch(wanted)
        assert [(line["event"], line.get("exception")) for line in lines] == [
            ("credentials could not be read", "UndefinedTable"),
            ("credentials read again", None),
        ]

    site.run(use)
