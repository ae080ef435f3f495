"""What a worker does beside answering: the next key is published in time, by itself."""

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.model.revocation import RevocationKind, subject_digest
from sensos_auth.model.signing_key import PUBLISHED_BEFORE_SIGNING, SIGNS_FOR, SigningKey
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.location import database_url
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.verifiers import VerifierReport, list_verifiers, record_verifiers
from sensos_auth.server import upkeep
from sensos_auth.server.log_lines import configure_logging
from sensos_auth.server.log_sink import LogSink


class Deployment:
    """A registry whose first key was made some seconds ago, and upkeep that looks after it at every tick."""

    def __init__(self, folder: Path) -> None:
        self.environment = {"SENSOS_AUTH_DATA_DIR": str(folder / "data")}
        self._url = f"sqlite:///{folder / 'data' / 'registry.sqlite3'}"
        self._stream = io.BytesIO()
        self._sink = LogSink(self._stream)
        configure_logging(self._sink)
        self._sink.start()

    def begin(self, seconds_ago: int) -> None:
        """Make the first key, as of so many seconds ago."""
        opened = open_registry(self._url)
        registry = Registry(opened.database, lambda: (int(time.time()) - seconds_ago) * 1000)
        keep_keys_current(registry, obtain_master_key(registry, self.environment), "ES256")
        opened.close()

    def keys(self) -> list[SigningKey]:
        """Return all keys."""
        registry = open_registry(self._url)
        with registry.view() as view:
            keys = list_signing_keys(view)
        registry.close()
        return keys

    @contextmanager
    def upkeep(self) -> Iterator[None]:
        """Run it as long as the block lasts."""
        running = upkeep.Upkeep(self.environment, lambda: open_registry(database_url(self.environment)))
        running.start()
        yield
        running.close()
        assert not running._thread.is_alive()

    def lines(self, until_events: int = 0, seconds: float = 10.0) -> list[dict[str, Any]]:
        """Return what was logged, once it is so many lines, or the time is over."""
        give_up_at = time.monotonic() + seconds
        while self._stream.getvalue().count(b"\n") < until_events and time.monotonic() < give_up_at:
            time.sleep(0.02)
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    def run_upkeep(self, until_events: int, seconds: float = 10.0) -> list[dict[str, Any]]:
        """Run it until so many lines are logged, or the time is over; return all that ever were."""
        with self.upkeep():
            self.lines(until_events, seconds)
        return self.lines()

    def close(self) -> None:
        """End the log."""
        self._sink.close()


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Return a deployment whose upkeep ticks a hundred times as fast as in life."""
    monkeypatch.setattr(upkeep, "_PARENT_SECONDS", 0.01)
    monkeypatch.setattr(upkeep, "ROTATION_SECONDS", 3)
    made = Deployment(tmp_path)
    yield made
    made.close()


def test_f12_next_key_is_published_in_time(deployment: Deployment) -> None:
    """48 h before the first one's thirty days are over; once, however often upkeep looks; and it is logged."""
    deployment.begin(SIGNS_FOR - PUBLISHED_BEFORE_SIGNING + 60)
    (line,) = deployment.run_upkeep(until_events=1)
    first, second = deployment.keys()
    assert (line["event"], line["kid"], line["signs_from"]) == ("signing key published", second.kid, second.signs_from)
    assert second.signs_from == first.signs_until
    assert second.signs_from - time.time() > PUBLISHED_BEFORE_SIGNING - 600
    assert len(deployment.run_upkeep(until_events=2, seconds=0.3)) == 1
    assert len(deployment.keys()) == 2


def test_f12_takeover_that_waits_for_verifiers_is_logged(deployment: Deployment) -> None:
    """How many, not which: their names are what clients sent."""
    deployment.begin(SIGNS_FOR - 60)
    registry = open_registry(deployment._url)
    earlier = Registry(registry.database, lambda: (int(time.time()) - PUBLISHED_BEFORE_SIGNING + 60) * 1000)
    upcoming = keep_keys_current(earlier, obtain_master_key(earlier, deployment.environment), "ES256")
    now = int(time.time() * 1000)
    with registry.observation() as view:
        record_verifiers(view, [VerifierReport("app_a", "late", "ten_a", 0, ("k1",), now, now + 40_000)])
    registry.close()
    assert upcoming is not None
    (line,) = deployment.run_upkeep(until_events=1)
    assert (line["event"], line["level"], line["kid"]) == ("signing key waits for verifiers", "warning", upcoming.kid)
    assert (line["verifiers"], line["signs_from"]) == (1, deployment.keys()[1].signs_from)
    assert line["signs_from"] > upcoming.signs_from
    assert "late" not in str(line)


def test_nothing_is_due(deployment: Deployment) -> None:
    """Then nothing is made, and nothing is logged."""
    deployment.begin(SIGNS_FOR - PUBLISHED_BEFORE_SIGNING - 600)
    assert deployment.run_upkeep(until_events=1, seconds=0.3) == []
    assert len(deployment.keys()) == 1


def test_n12_what_has_ended_is_cleaned_up(deployment: Deployment) -> None:
    """Revocations whose tokens have expired, and verifiers that went away; nothing else, and without a word."""
    deployment.begin(0)
    registry = open_registry(deployment._url)
    now = int(time.time())
    with registry.change("test") as change:
        revoke_token(change, "ended", expires_at=now - 90_000)
        revoke_token(change, "alive", expires_at=now + 120)
    report = VerifierReport("app_a", "alive", "ten_a", 1, (), now * 1000, now * 1000 + 10_000)
    with registry.observation() as view:
        record_verifiers(view, [report, replace(report, name="gone", live_until=(now - 4000) * 1000)])
    assert deployment.run_upkeep(until_events=1, seconds=0.4) == []
    with registry.view() as view:
        assert list_verifiers(view) == [report]
        (row,) = view.statements.revocations_between(view.connection, since=0, until=change.version, now=0)
    assert bytes(row[1]) == subject_digest(RevocationKind.TOKEN, "alive")
    registry.close()


def test_i13_failure_is_logged_and_tried_again(deployment: Deployment) -> None:
    """The master key is gone: a warning, one, and once it is back the next key, and a line that all is well."""
    deployment.begin(SIGNS_FOR - PUBLISHED_BEFORE_SIGNING + 60)
    master_key = Path(deployment.environment["SENSOS_AUTH_DATA_DIR"]) / "master.key"
    master_key.rename(master_key.with_suffix(".away"))
    with deployment.upkeep():
        (line,) = deployment.lines(until_events=2, seconds=0.3)
        assert (line["event"], line["level"]) == ("signing keys could not be kept current", "warning")
        assert "is missing" in line["reason"]
        master_key.with_suffix(".away").rename(master_key)
        lines = deployment.lines(until_events=3)
    assert [line["event"] for line in lines[1:]] == ["signing key published", "signing keys kept current again"]


def test_unexpected_failure_does_not_end_it(deployment: Deployment) -> None:
    """Not even one that nobody thought of: logged by type and places, once, and tried again."""
    deployment.begin(0)
    registry = open_registry(deployment._url)
    connection = registry.database.connection  # type: ignore[attr-defined]
    registry.database.run_script(connection, "ALTER TABLE signing_keys RENAME TO away")
    with deployment.upkeep():
        (line,) = deployment.lines(until_events=2, seconds=0.3)
        assert (line["level"], line["exception"]) == ("error", "SQLError")
        registry.database.run_script(connection, "ALTER TABLE away RENAME TO signing_keys")
        lines = deployment.lines(until_events=2)
    registry.close()
    assert lines[1]["event"] == "signing keys kept current again"
