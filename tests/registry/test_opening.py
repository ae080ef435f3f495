import time
import traceback
from contextlib import closing

import pytest

from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable
from sensos_auth.registry import open_registry
from sensos_auth.registry.migrating import known_migrations, migrate
from sensos_auth.registry.opening import open_database, shown_url
from sensos_auth.registry.tenants import list_tenants
from tests.postgresql_server import new_database_url


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_registry_on_postgresql_is_opened_once_it_is_up_to_date(scheme: str) -> None:
    """By both names that PostgreSQL's URLs go by. Opening it migrates nothing."""
    url = new_database_url().replace("postgresql://", f"{scheme}://")
    for migrations in ([], known_migrations()[:-1]):
        if migrations:
            with closing(open_database(url)) as database:
                migrate(database, int(time.time()), migrations)
        with pytest.raises(ConfigurationError, match="run sensos-auth db upgrade"):
            open_registry(url)
    with closing(open_database(url)) as database:
        migrate(database, int(time.time()))
    with closing(open_registry(url)) as registry, registry.view() as view:
        assert list_tenants(view) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////srv/auth/registry.sqlite3", "sqlite:////srv/auth/registry.sqlite3"),
        ("postgresql://db/auth", "postgresql://db/auth"),
        ("postgresql://user@db:5432/auth", "postgresql://user@db:5432/auth"),
        ("postgresql://user:secret@db:5432/auth?sslmode=require", "postgresql://user@db:5432/auth"),
        ("postgres://user:secret@one,two:6432/auth", "postgres://user@one,two:6432/auth"),
        ("postgresql://db/auth?user=me&password=secret", "postgresql://db/auth"),
        ("postgresql://user:sec/ret@db/auth", "postgresql://user@db/auth"),
        ("postgresql://user:sec@ret@db/auth", "postgresql://user@db/auth"),
        ("postgresql://:secret@/auth?host=/run/postgresql", "postgresql://@/auth"),
    ],
)
def test_a_shown_url_has_no_password(url: str, shown: str) -> None:
    """Nor options, one of which may be the password; also where the password is not written as a URL needs it."""
    assert shown_url(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:sec@canary@localhost/auth",
        "postgresql://user:sec/canary@localhost/auth",
        "postgresql://user:sec?canary@localhost/auth",
        "postgres://user:sec#canary@localhost/auth",
        "postgresql://localhost/auth?user=me&password=sec@canary",
        "postgresql://user:canary/auth",
    ],
)
def test_url_whose_password_might_be_taken_for_something_else_is_refused(url: str) -> None:
    """It is said how to write it, and nothing of it is repeated: no error and no traceback has part of a password."""
    with pytest.raises(ConfigurationError, match="%40") as caught:
        open_database(url)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "place",
    [
        "127.0.0.1:1/auth?sslmode=disable",
        "user:a:b%40c%2Fd@127.0.0.1:1,127.0.0.1:1/auth",
        "user@[::1]:1/auth",
        "user@/auth?host=/nowhere",
        "?host=/nowhere",
    ],
)
def test_url_that_can_be_read_in_one_way_only_is_taken(place: str) -> None:
    """Hosts, ports, addresses in brackets and sockets: there is only nobody there."""
    with pytest.raises(RegistryUnavailable):
        open_database(f"postgresql://{place}")


def test_host_that_is_not_found_is_not_named() -> None:
    """Nothing of the URL is repeated in the reason, which is logged."""
    with pytest.raises(RegistryUnavailable, match="resolve") as caught:
        open_database("postgresql://user:secret@canary.invalid/auth")
    assert "canary" not in str(caught.value)
