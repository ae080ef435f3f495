"""A registry with many applications, on SQLite or PostgreSQL, and a file with the bodies of their token requests."""

import json
import shutil
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.token_endpoint.places import BUILD
from sensos_auth.model.application_secret import digest, new_secret
from sensos_auth.model.identifiers import new_application_id, new_secret_id, new_tenant_id
from sensos_auth.registry import Change, Registry, open_registry
from sensos_auth.registry.location import FILE_NAME
from sensos_auth.registry.migrating import known_migrations, migrate
from sensos_auth.registry.opening import open_database
from sensos_auth.registry.sqlite import SqliteDatabase

_APPLICATIONS_PER_TENANT = 50
_BATCH = 20_000
_COMPLETE = "complete"


@dataclass(frozen=True)
class Population:
    """A data folder for the product, and the token requests of its applications: records of one length."""

    folder: Path
    requests: Path
    request_length: int

    @property
    def applications(self) -> int:
        """Return how many there are."""
        return self.requests.stat().st_size // self.request_length


def populate(applications: int) -> Population:
    """Return a registry with this many enabled applications, one secret each; one made earlier is used again.

    The rows are what the product itself would have written, but in one transaction, and with one audit event for all.
    """
    folder = BUILD / f"registry_{applications}"
    complete = folder / _COMPLETE
    schema = "".join(migration.script for migration in known_migrations())
    requests = folder / "requests"
    if not complete.exists() or complete.read_text() != schema:
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, requests, applications)
        complete.write_text(schema)
    return Population(folder, requests, requests.stat().st_size // applications)


def populate_postgresql(applications: int, url: str, folder: Path) -> Population:
    """Return a registry with as many in the empty PostgreSQL database; ``folder`` gets the rest of the node's files.

    Where the folder is there, so is the registry.
    """
    requests = folder / "requests"
    if requests.exists():
        return Population(folder, requests, requests.stat().st_size // applications)
    folder.mkdir(parents=True)
    with closing(open_database(url)) as database:
        migrate(database, int(time.time()))
        _fill(Registry(database), requests, applications)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return Population(folder, requests, requests.stat().st_size // applications)


def _make(folder: Path, requests: Path, applications: int) -> None:
    registry = open_registry(f"sqlite:///{folder / FILE_NAME}")
    assert isinstance(registry.database, SqliteDatabase)
    # The file can be made again: here speed is worth more than durability.
    for pragma in ("synchronous=OFF", "foreign_keys=OFF", "cache_size=-1000000"):
        registry.database.connection.execute(f"PRAGMA {pragma}").fetchall()
    _fill(registry, requests, applications)
    registry.close()


def _fill(registry: Registry, requests: Path, applications: int) -> None:
    started = time.monotonic()
    tenants: list[str] = []
    with registry.change("benchmark") as change, requests.open("wb") as written:
        for first in range(0, applications, _BATCH):
            numbers = range(first, min(first + _BATCH, applications))
            tenants += _insert_tenants(change, len(numbers))
            written.writelines(_insert_applications(change, tenants, numbers))
            seconds = time.monotonic() - started
            print(f"\r  making {numbers.stop:,} of {applications:,} applications, {seconds:.0f} s", end="", flush=True)
        change.record("benchmark.populated", "benchmark", applications=applications)
    print()


def _insert_tenants(change: Change, applications: int) -> list[str]:
    tenants = [new_tenant_id() for _ in range(-(-applications // _APPLICATIONS_PER_TENANT))]
    change.connection.cursor().executemany(
        change.statements.insert_tenant.sql,
        (
            {
                "tenant_id": tenant_id,
                "name": "A tenant of the benchmark",
                "lifetime": None,
                "created_at": change.now,
                "created_version": change.version,
            }
            for tenant_id in tenants
        ),
    )
    return tenants


def _insert_applications(change: Change, tenants: list[str], numbers: range) -> list[bytes]:
    bodies = []
    applications = []
    secrets = []
    for number in numbers:
        tenant_id = tenants[number // _APPLICATIONS_PER_TENANT]
        application_id = new_application_id()
        secret = new_secret()
        bodies.append(request_body(tenant_id, application_id, secret))
        applications.append(
            {
                "application_id": application_id,
                "tenant_id": tenant_id,
                "name": "An application of the benchmark",
                "scope": "readings:read readings:write",
                "lifetime": None,
                "audience": None,
                "created_at": change.now,
                "created_version": change.version,
            }
        )
        secrets.append(
            {
                "digest": digest(secret),
                "secret_id": new_secret_id(),
                "application_id": application_id,
                "label": "",
                "created_at": change.now,
                "created_version": change.version,
                "expires_at": None,
            }
        )
    cursor = change.connection.cursor()
    cursor.executemany(change.statements.insert_application.sql, applications)
    cursor.executemany(change.statements.insert_secret.sql, secrets)
    return bodies


def request_body(tenant_id: str, application_id: str, secret: str) -> bytes:
    """Return the body of a token request: always of the same length."""
    shown = {"tenantId": tenant_id, "applicationId": application_id, "applicationSecret": secret}
    return json.dumps(shown, separators=(",", ":")).encode()
