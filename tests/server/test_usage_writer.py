"""What was counted is written down: whole, in time, and so that nobody waits for it."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable
from sensos_auth.model.identifiers import new_application_id, new_secret_id
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.applications import create_application
from sensos_auth.registry.audit import AuditFilter, events_page
from sensos_auth.registry.credentials import Credential
from sensos_auth.registry.secrets import create_secret
from sensos_auth.registry.tenants import create_tenant
from sensos_auth.registry.usage import SecretUse, Usage, usage_of, use_of_secret
from sensos_auth.server import usage_writer
from sensos_auth.server.usage_writer import UsageWriter, usage_is_counted
from tests.running_service import ExampleApplication, running_service, start_service

MINUTE = int(time.time()) // 60 - 10
LIFETIME = 36_000


class Deployment:
    """A registry with an application, and a writer of usage over it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "registry.sqlite3"
        self.registry = self.open()
        with self.registry.change("me") as change:
            tenant_id = create_tenant(change, name="Acme").tenant_id
            self.application_id = create_application(change, tenant_id=tenant_id, name="Pump").application_id
            self.secret_id = create_secret(change, application_id=self.application_id).kept.secret_id
        self.writer = UsageWriter(self.open, LIFETIME)

    def open(self) -> Registry:
        """Return a registry on a connection of its own."""
        return open_registry(f"sqlite:///{self.file}")

    def count(
        self, tokens: int, refusals: int = 0, secret_id: str = "", minute: int = MINUTE, lifetime: int = LIFETIME
    ) -> None:
        """Count tokens and refusals in the minute."""
        secret_id = secret_id or self.secret_id
        credential = Credential(secret_id, self.application_id, "ten_a", None, None, "", None, None, 1, 1)
        for _ in range(tokens):
            self.writer.counter.count_token(credential, minute * 60, lifetime)
        for _ in range(refusals):
            self.writer.counter.count_refusal(self.application_id, minute * 60)

    def written(self) -> list[tuple[int, int, int]]:
        """Return what is written of the application: minute, tokens, refusals."""
        return [(each.starts_at // 60, each.tokens, each.refusals) for each in usage(self.registry)]


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """Return a deployment of its own."""
    made = Deployment(tmp_path)
    yield made
    made.registry.close()


def usage(registry: Registry) -> list[Usage]:
    """Return all usage."""
    with registry.view() as view:
        return usage_of(view, from_minute=0, until_minute=1 << 40, limit=10_000)


def test_counts_and_uses_are_written_and_added_up(deployment: Deployment) -> None:
    """Two writers of one minute lose nothing to each other."""
    other = UsageWriter(deployment.open, LIFETIME)
    deployment.count(3, 2)
    deployment.writer.write()
    deployment.writer = other
    deployment.count(4, 1)
    deployment.writer.write()
    assert deployment.written() == [(MINUTE, 7, 3)]
    with deployment.registry.view() as view:
        used_at = MINUTE * 60 + 59  # a little late does no harm
        assert use_of_secret(view, deployment.secret_id) == SecretUse(used_at, used_at + LIFETIME)


def test_lifetime_of_a_token_says_until_when_a_secret_has_tokens(deployment: Deployment) -> None:
    """Where it is not that of most; the last use is never in the future."""
    now = int(time.time())
    deployment.count(1, minute=now // 60, lifetime=600)
    deployment.writer.write()
    with deployment.registry.view() as view:
        use = use_of_secret(view, deployment.secret_id)
    assert use is not None
    assert now - 60 <= use.last_used_at <= time.time()
    assert use.tokens_expire_at == use.last_used_at + 600


def test_a_minute_is_written_when_it_is_over(deployment: Deployment) -> None:
    """So that each row is written once."""
    deployment.count(1)
    deployment.writer.write(MINUTE * 60 + 59)
    assert deployment.written() == []
    deployment.writer.write(MINUTE * 60 + 60)
    assert deployment.written() == [(MINUTE, 1, 0)]


def test_many_secrets_are_written_some_at_a_time(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer gets in between."""
    monkeypatch.setattr(usage_writer, "_ROWS_AT_ONCE", 10)
    changes = 0

    def pause(_: float) -> None:
        nonlocal changes
        with deployment.registry.change("me") as change:
            create_tenant(change, name="In between")
        changes += 1

    monkeypatch.setattr(time, "sleep", pause)
    for number in range(25):
        deployment.count(2, secret_id=f"sec_{number}")
    deployment.writer.write()
    assert deployment.written() == [(MINUTE, 50, 0)]
    assert changes == 6


def test_neighbours_in_the_file_are_written_together(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows come in the order of their keys: otherwise each would have a page of the file written for itself."""
    monkeypatch.setattr(usage_writer, "_ROWS_AT_ONCE", 7)
    secret_ids = [new_secret_id() for _ in range(50)]
    so_far: list[tuple[list[str], list[str]]] = []

    def pause(_: float) -> None:
        with deployment.registry.view() as view:
            uses = list(view.connection.execute("SELECT secret_id FROM secret_uses ORDER BY secret_id"))
            counts = list(view.connection.execute("SELECT secret_id FROM usage ORDER BY secret_id"))
        so_far.append(([row[0] for row in uses], [row[0] for row in counts]))

    monkeypatch.setattr(time, "sleep", pause)
    for secret_id in secret_ids:
        deployment.count(1, secret_id=secret_id)
    deployment.writer.write()
    in_order = sorted(secret_ids)
    steps = [in_order[:end] for end in (7, 14, 21, 28, 35, 42, 49, 50)]
    assert so_far == [(step, []) for step in steps] + [(in_order, step) for step in steps]


def test_z18_a_locked_registry_delays_counts_and_loses_none(deployment: Deployment) -> None:
    """They are written when it is free again, once."""
    deployment.count(5, 1)
    with deployment.registry.database.write():
        with pytest.raises(RegistryUnavailable):
            deployment.writer.write()
        deployment.count(1, minute=MINUTE + 1)
    deployment.writer.write()
    assert deployment.written() == [(MINUTE, 5, 1), (MINUTE + 1, 1, 0)]


def test_z14_a_full_disk_loses_nothing_that_was_written_and_counts_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of many rows: the rest follows when there is room again."""
    monkeypatch.setattr(usage_writer, "_ROWS_AT_ONCE", 500)
    deployment = Deployment(tmp_path)
    opened: list[Registry] = []

    def open_small() -> Registry:
        registry = deployment.open()
        registry.database.connection.pragma("max_page_count", registry.database.connection.pragma("page_count") + 60)  # type: ignore[attr-defined]
        opened.append(registry)
        return registry

    deployment.writer = UsageWriter(open_small, LIFETIME)
    for number in range(4000):
        deployment.count(1, secret_id=f"sec_{number:026}")
    with pytest.raises(RegistryUnavailable, match="full"):
        deployment.writer.write()
    opened[0].database.connection.pragma("max_page_count", 1 << 30)  # type: ignore[attr-defined]
    deployment.writer.write()
    assert deployment.written() == [(MINUTE, 4000, 0)]
    deployment.registry.close()


def test_what_waits_is_bounded_and_the_oldest_is_lost(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that can't be written for hours takes no memory without end."""
    monkeypatch.setattr(usage_writer, "_MOST_WAITING", 5)
    for number in range(8):
        deployment.count(1, minute=MINUTE + number)
    deployment.writer.write()
    assert deployment.written() == [(MINUTE + number, 1, 0) for number in range(3, 8)]


def test_thread_writes_by_itself_and_at_its_end(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every minute, which is a twentieth of a second here."""
    monkeypatch.setattr(usage_writer, "_MINUTE", 0.05)
    deployment.writer.start()
    deployment.count(2)
    wait_until(lambda: deployment.written() == [(MINUTE, 2, 0)])
    now = int(time.time()) // 60
    deployment.count(1, minute=now)  # is not over yet, unless this test is slow
    deployment.writer.close()
    assert deployment.written() == [(MINUTE, 2, 0), (now, 1, 0)]


@pytest.mark.parametrize("written", ["", "ON", "true", "0", "no"])
def test_setting_is_on_or_off(written: str) -> None:
    """Anything else is refused at the start."""
    assert usage_is_counted({})
    assert usage_is_counted({"SENSOS_AUTH_USAGE": "on"})
    assert not usage_is_counted({"SENSOS_AUTH_USAGE": "off"})
    with pytest.raises(ConfigurationError, match="SENSOS_AUTH_USAGE must be on or off"):
        usage_is_counted({"SENSOS_AUTH_USAGE": written})


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ExampleApplication, list[str]]:
    """Return the folder of a service of two workers that has ended, its application, and the names that were tried."""
    folder = tmp_path_factory.mktemp("usage") / "data"
    made_up = [new_application_id() for _ in range(200)]
    with running_service(folder, workers=2) as service:
        application = service.new_application()
        for _ in range(12):
            service.token(application)
        for changes in ({"applicationSecret": "wrong"}, {"tenantId": "ten_wrong"}, {"applicationSecret": ""}):
            service.ask(application, **changes)
        for name in (*made_up, "x", "'; DROP TABLE usage; --", "\u0430pp"):
            assert service.ask(application, applicationId=name).status_code == 401
    return folder, application, made_up


def test_stopping_writes_what_all_workers_counted(ended: tuple[Path, ExampleApplication, list[str]]) -> None:
    """Tokens, and refusals whatever their cause; a malformed request is none."""
    folder, application, _ = ended
    with closing(open_registry(f"sqlite:///{folder / 'registry.sqlite3'}")) as registry:
        counted = [each for each in usage(registry) if each.application_id == application.application_id]
        assert (sum(each.tokens for each in counted), sum(each.refusals for each in counted)) == (12, 2)
        with registry.view() as view:
            use = use_of_secret(view, application.secret_id)
    assert use is not None
    assert use.tokens_expire_at - use.last_used_at == 36_000
    assert 0 <= time.time() - use.last_used_at < 300


def test_p16_names_that_clients_make_up_fill_nothing(ended: tuple[Path, ExampleApplication, list[str]]) -> None:
    """They are counted together; neither registry nor log holds one of them, and the trail one event."""
    folder, application, made_up = ended
    with closing(open_registry(f"sqlite:///{folder / 'registry.sqlite3'}")) as registry:
        others = [each for each in usage(registry) if each.application_id != application.application_id]
        assert {(each.application_id, each.tenant_id, each.tokens) for each in others} == {("", None, 0)}
        assert sum(each.refusals for each in others) == 203
        with registry.view() as view:
            events = events_page(view, AuditFilter(action="authentication.refused"))
    assert [event.subject for event in events] == [application.application_id]
    everything = b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())
    assert not any(name.encode() in everything for name in made_up)
    assert b"DROP TABLE usage" not in everything


def test_z01_kill_loses_counts_only_and_switched_off_nothing_is_counted(tmp_path: Path) -> None:
    """The next start finds a sound registry, and counts what it is told to."""
    service = start_service(tmp_path / "data")
    application = service.new_application()
    service.token(application)
    service.process.send_signal(signal.SIGKILL)
    service.end(at_once=True)
    with running_service(tmp_path / "data", environment={"SENSOS_AUTH_USAGE": "off"}) as service:
        service.token(application)
        service.ask(application, applicationSecret="wrong")
    with closing(open_registry(f"sqlite:///{tmp_path / 'data' / 'registry.sqlite3'}")) as registry:
        assert usage(registry) == []
        with registry.view() as view:
            assert use_of_secret(view, application.secret_id) is None
        assert registry.database.verify() == []  # type: ignore[attr-defined]


def wait_until(is_so: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return as soon as it is so."""
    give_up_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)
