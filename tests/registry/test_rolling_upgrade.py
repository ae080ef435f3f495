"""A rolling upgrade: this release at work on a registry while and after the next one upgrades its database."""

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sensos_auth.issuing.issuer import ApplicationCredentials, Issuer, TokenSettings
from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.issuing.stored_keys import KeysInRegistry
from sensos_auth.model.errors import AuthenticationFailed, ConfigurationError
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.applications import create_application, disable_application, list_applications
from sensos_auth.registry.audit_verification import verify_trail
from sensos_auth.registry.credentials import Credential, find_credential
from sensos_auth.registry.migrating import migrate
from sensos_auth.registry.opening import open_database
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.tenants import create_tenant
from sensos_auth.registry.usage import MinuteCount, record_counts
from tests.later_release import CONTRACTS, EXPANDS, HEAD, LaterRelease, later_release
from tests.registries import Place

_MASTER_KEY = bytes(range(32))
_SETTINGS = TokenSettings("https://auth.example", "api", 36_000)


class _Reading:
    """A credential reader that reads the registry for each token."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def find(self, digest: bytes) -> Credential | None:
        with self._registry.view() as view:
            return find_credential(view, digest)

    def check_still_good(self) -> None:
        """Do nothing."""


@dataclass
class Node:
    """A node of this release: it issues, reads, changes and opens the registry anew, in a thread, and counts."""

    url: str
    tokens: int = 0
    changes: int = 0
    failures: list[BaseException] = field(default_factory=list)

    def work_until(self, ended: threading.Event) -> None:
        """Go on until the event."""
        try:
            while not ended.is_set():
                with closing(open_registry(self.url)) as registry:
                    for _ in range(20):
                        self._work(registry, self.issuer(registry))
        except BaseException as error:  # noqa: BLE001 - the test looks at all of them
            self.failures.append(error)

    @staticmethod
    def issuer(registry: Registry) -> Issuer:
        """Return an issuer of tokens on the registry."""
        keyring = Keyring(KeysInRegistry(registry), MasterKey(_MASTER_KEY))
        return Issuer(_Reading(registry), keyring, _SETTINGS, lambda: int(time.time()))

    def _work(self, registry: Registry, issuer: Issuer) -> None:
        with registry.change("node") as change:
            tenant = create_tenant(change, name="Blue Motors")
            application = create_application(change, tenant_id=tenant.tenant_id, name="Fleet")
            new = create_secret(change, application_id=application.application_id)
        shown = ApplicationCredentials(tenant.tenant_id, application.application_id, new.shown)
        for _ in range(3):
            issuer.issue(shown)
            self.tokens += 1
        with registry.observation() as view:
            record_counts(view, [MinuteCount(1, application.application_id, new.kept.secret_id, 3, 0)])
        with registry.change("node") as change:
            disable_application(change, application.application_id)
        with pytest.raises(AuthenticationFailed):
            issuer.issue(shown)
        self.changes += 2


@pytest.fixture
def url(place: Place) -> str:
    """Return the URL of a registry of this release, with a signing key."""
    url = f"sqlite:///{place.address}" if place.engine == "sqlite" else place.address
    with closing(open_database(url)) as database:
        migrate(database, int(time.time()))
        keep_keys_current(Registry(database), MasterKey(_MASTER_KEY), "ES256")
    return url


def _release(folder: Path, url: str, *scripts: str) -> LaterRelease:
    key = urlsafe_b64encode(_MASTER_KEY).decode().rstrip("=")
    return later_release(folder, *scripts, SENSOS_AUTH_DATABASE_URL=url, SENSOS_AUTH_MASTER_KEY=key)


@contextmanager
def _at_work(url: str, nodes: int = 2) -> Iterator[list[Node]]:
    """Let nodes of this release work during the block, and check that nothing failed on any of them."""
    ended = threading.Event()
    working = [Node(url) for _ in range(nodes)]
    threads = [threading.Thread(target=node.work_until, args=(ended,)) for node in working]
    for thread in threads:
        thread.start()
    try:
        yield working
    finally:
        ended.set()
        for thread in threads:
            thread.join(timeout=30)
    assert [node.failures for node in working] == [[] for _ in working]


def _wait_for_more(nodes: list[Node]) -> None:
    """Wait until each node has done something more."""
    before = [node.changes for node in nodes]
    give_up_at = time.monotonic() + 20
    while any(node.changes <= had + 2 for node, had in zip(nodes, before, strict=True)):
        assert time.monotonic() < give_up_at, [node.failures for node in nodes]
        time.sleep(0.01)


@pytest.mark.slow  # and alone: SQLite has no patience beyond two seconds, which a loaded machine may take
def test_z50_nodes_of_this_release_work_while_and_after_the_next_one_upgrades(url: str, tmp_path: Path) -> None:
    """They issue, change, count and open the registry anew, without a failure, and serve what the next one makes."""
    following = _release(tmp_path / "next", url, EXPANDS)
    with _at_work(url) as nodes:
        _wait_for_more(nodes)
        upgraded = following.print_json("db", "upgrade")
        assert (upgraded["schemaBefore"], upgraded["schema"]) == (HEAD, HEAD + 1)
        _wait_for_more(nodes)
        tenant = following.print_json("tenants", "create", "--name", "of the next release")["tenantId"]
        made = following.print_json("applications", "create", "--tenant", tenant, "--name", "of the next release")
        _wait_for_more(nodes)
    with closing(open_registry(url)) as registry:
        shown = ApplicationCredentials(tenant, made["applicationId"], made["applicationSecret"])
        assert Node.issuer(registry).issue(shown).expires_in == 36_000
        with registry.view() as view:
            assert verify_trail(view).findings == []
            assert len(list_applications(view, tenant_id=tenant)) == 1
    assert following.print_json("audit", "verify")["findings"] == []


@pytest.mark.slow
@pytest.mark.waits
def test_z50_a_program_too_old_for_a_schema_that_contracted_is_refused(url: str, tmp_path: Path) -> None:
    """Two releases on: this one says which of both to upgrade, and touches nothing; the one between goes on."""
    between, last = (_release(tmp_path / str(count), url, *(EXPANDS, CONTRACTS)[:count]) for count in (1, 2))
    assert between.print_json("db", "upgrade")["schema"] == HEAD + 1
    open_registry(url).close()
    assert last.print_json("db", "upgrade")["applied"] == [f"{HEAD + 2:04}_later"]
    with pytest.raises(
        ConfigurationError, match=rf"newer Sensos Auth \(its schema is {HEAD + 2}.*upgrade this program"
    ):
        open_registry(url)
    for release in (between, last):
        release.print_json("tenants", "create", "--name", "Blue Motors")
    said = between.run("db", "upgrade")
    assert (said.returncode, "which may work on it" in said.stdout) == (0, True)


@pytest.mark.slow
@pytest.mark.waits
def test_z51_a_release_may_be_skipped(url: str, tmp_path: Path) -> None:
    """From this one to the last in one step, with all nodes ended meanwhile: both migrations are applied."""
    last = _release(tmp_path / "last", url, EXPANDS, CONTRACTS)
    upgraded = last.print_json("db", "upgrade")
    assert upgraded["applied"] == [f"{HEAD + 1:04}_later", f"{HEAD + 2:04}_later"]
    assert last.print_json("audit", "verify")["findings"] == []


@pytest.mark.slow
@pytest.mark.waits
def test_z06_several_upgrades_at_once_make_one(url: str, tmp_path: Path) -> None:
    """As of several nodes that are upgraded at the same time: one applies it, all end well."""
    following = _release(tmp_path / "next", url, EXPANDS)
    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(lambda _: following.run("db", "upgrade", "--json"), range(3)))
    assert [each.returncode for each in ended] == [0, 0, 0], [each.stderr for each in ended]
    assert sorted(len(json.loads(each.stdout)["applied"]) for each in ended) == [0, 0, 1]
