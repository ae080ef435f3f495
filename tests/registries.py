"""Registries to test on: on SQLite and on a real PostgreSQL, fresh for each test, with a clock that tests set."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from sensos_auth.registry import Registry
from sensos_auth.registry.database import Database
from sensos_auth.registry.migrating import migrate
from sensos_auth.registry.postgresql import PostgresqlDatabase
from sensos_auth.registry.sqlite import SqliteDatabase
from tests.postgresql_server import end_server, new_database_url

Engine = Literal["sqlite", "postgresql"]

START = 1_800_000_000  # UTC seconds


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self, seconds: int = START) -> None:
        """Begin at ``seconds`` (UTC)."""
        self.milliseconds = seconds * 1000

    def __call__(self) -> int:
        """Return UTC milliseconds, as a registry asks for."""
        return self.milliseconds

    def seconds(self) -> int:
        """Return UTC seconds, as an issuer asks for."""
        return self.milliseconds // 1000

    def advance(self, seconds: float) -> None:
        """Move, forwards or back."""
        self.milliseconds += int(seconds * 1000)


@dataclass
class Place:
    """Where a registry is kept: an engine, and a file or a URL. Any number of connections can be opened."""

    engine: Engine
    address: str
    clock: Clock
    _opened: list[Database] = field(default_factory=list)

    def connect(self) -> Database:
        """Return a connection of its own, to a database that may be empty."""
        database: Database
        database = SqliteDatabase(Path(self.address)) if self.engine == "sqlite" else PostgresqlDatabase(self.address)
        self._opened.append(database)
        return database

    def open(self) -> Registry:
        """Return a registry on a connection of its own, brought up to date."""
        database = self.connect()
        database.settles_in = 0.0  # nothing else runs on it; that who takes something away waits has tests of its own
        migrate(database, self.clock.seconds())
        return Registry(database, self.clock)

    def close(self) -> None:
        """Close every connection."""
        for database in self._opened:
            database.close()


@pytest.fixture
def clock() -> Clock:
    """Return the clock of this test's registries."""
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Place]:
    """Return where this test's registry is kept; nothing is there yet."""
    engine: Engine = request.param
    address = str(tmp_path / "registry.sqlite3") if engine == "sqlite" else new_database_url()
    place = Place(engine, address, clock)
    yield place
    place.close()


@pytest.fixture
def registry(place: Place) -> Registry:
    """Return a fresh registry, once on each engine."""
    return place.open()


@pytest.fixture
def sqlite_registry(tmp_path: Path, clock: Clock) -> Iterator[Registry]:
    """Return a fresh registry on SQLite only."""
    place = Place("sqlite", str(tmp_path / "registry.sqlite3"), clock)
    yield place.open()
    place.close()


@pytest.fixture(scope="session", autouse=True)
def _end_postgresql() -> Iterator[None]:
    yield
    end_server()
