"""The registries of these tests."""

from collections.abc import Iterator

import pytest

from tests.postgresql_server import new_database_url, reached_over_tcp
from tests.registries import Clock, Place, _end_postgresql, clock, place, registry, sqlite_registry
from tests.tcp_proxy import TcpProxy

__all__ = ["_end_postgresql", "clock", "place", "registry", "sqlite_registry"]


@pytest.fixture
def behind_proxy(clock: Clock) -> Iterator[tuple[Place, TcpProxy]]:
    """Return where a registry on PostgreSQL is kept, and what all connections to it go through."""
    with reached_over_tcp(new_database_url()) as (proxy, url):
        place = Place("postgresql", url, clock)
        place.open()
        yield place, proxy
        place.close()


@pytest.fixture
def proxy(behind_proxy: tuple[Place, TcpProxy]) -> TcpProxy:
    """Return what stands before the server."""
    return behind_proxy[1]
