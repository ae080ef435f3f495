"""What the threads beside the requests tell while PostgreSQL is away: each one when it begins, and when it is over."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.registry import Registry
from sensos_auth.registry.credentials import Credential
from sensos_auth.registry.postgresql import PostgresqlDatabase
from sensos_auth.server import upkeep, usage_writer
from sensos_auth.server.upkeep import Upkeep
from sensos_auth.server.usage_writer import UsageWriter
from tests.postgresql_server import new_database_url, reached_over_tcp
from tests.registries import Clock, Place
from tests.running_service import free_port
from tests.tcp_proxy import TcpProxy

_TOLD = {
    "signing keys could not be kept current": "signing keys kept current again",
    "unused secrets could not be retired": "unused secrets retired again",
    "warnings of ending secrets could not be given": "warnings of ending secrets given again",
    "what has ended could not be cleaned up": "what has ended cleaned up again",
    "webhook could not be looked after": "webhook looked after again",
    "usage could not be written down": "usage written down again",
}


class Site:
    """A registry on PostgreSQL that is reached through a proxy, and the threads; ``tries`` counts their attempts."""

    def __init__(self, registry: Registry, proxy: TcpProxy, folder: Path) -> None:
        environment = {
            "SENSOS_AUTH_DATA_DIR": str(folder),
            "SENSOS_AUTH_WEBHOOK_URL": f"http://127.0.0.1:{free_port()}",
            "SENSOS_AUTH_WEBHOOK_SECRET": f"whsec_{'A' * 44}",
        }
        keep_keys_current(registry, obtain_master_key(registry, environment), "ES256")
        self._registry = registry
        self.proxy = proxy
        self.tries = 0
        self.usage = UsageWriter(self.open, 36_000)
        self.threads = (Upkeep(environment, self.open), self.usage)

    def open(self) -> Registry:
        """Return a registry for one use."""
        self.tries += 1
        return self._registry.another()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Return threads that run, and do what they do each minute many times in a second."""
    monkeypatch.setattr(upkeep, "_PARENT_SECONDS", 0.01)
    monkeypatch.setattr(upkeep, "ROTATION_SECONDS", 3)
    monkeypatch.setattr(upkeep, "WEBHOOK_LOOKS_EVERY", 0.02)
    monkeypatch.setattr(upkeep, "_DUTIES", [duty._replace(begins_after=0.0) for duty in upkeep._DUTIES])
    monkeypatch.setattr(usage_writer, "_MINUTE", 0.05)
    url = new_database_url()
    place = Place("postgresql", url, Clock())
    place.open()
    with reached_over_tcp(url) as (proxy, through_proxy):
        registry = Registry(PostgresqlDatabase(through_proxy))
        site = Site(registry, proxy, tmp_path)
        for thread in site.threads:
            thread.start()
        yield site
        for thread in site.threads:
            thread.close()
        registry.close()
    place.close()


def _wait_until(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    give_up_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_each_tells_when_an_outage_begins_and_when_it_is_over(site: Site) -> None:
    """However often they try meanwhile; and of what was counted meanwhile nothing is lost."""
    credential = Credential("sec_a", "app_a", "ten_a", None, None, "", None, None, 1, 1)
    with capture_logs() as lines:
        _wait_until(lambda: site.tries > 10)
        assert lines == []
        site.proxy.refuses = True
        site.proxy.cut()
        site.usage.counter.count_token(credential, int(time.time()) - 120, 36_000)
        _wait_until(lambda: {line["event"] for line in lines} == set(_TOLD))
        tries = site.tries
        _wait_until(lambda: site.tries > tries + 12)
        assert len(lines) == len(_TOLD)
        assert {line["log_level"] for line in lines} == {"warning"}
        site.proxy.refuses = False
        _wait_until(lambda: len(lines) == 2 * len(_TOLD))
        tries = site.tries
        _wait_until(lambda: site.tries > tries + 12)
    assert {line["event"] for line in lines[len(_TOLD) :]} == set(_TOLD.values())
    assert {line["log_level"] for line in lines[len(_TOLD) :]} == {"info"}
    assert len(lines) == 2 * len(_TOLD)
