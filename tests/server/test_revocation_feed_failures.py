"""The feed when something breaks or ends: the registry, the worker, and a copy of the registry put back."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from sensos_auth.model.revocation import RevocationKind, subject_digest
from sensos_auth.registry.applications import disable_application
from sensos_auth.registry.revocations import find_revocation
from tests.running_service import ENDPOINT_PATH, RunningService, running_service, start_service
from tests.server.test_revocations_endpoint import digests, held_poll, poll, revoke, version_of

UNAVAILABLE = {"error": "Service Unavailable", "message": "The service cannot answer right now: try again later"}


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return a service for troubles that pass."""
    with running_service(tmp_path_factory.mktemp("troubled") / "data", at_once=True) as running:
        yield running


def _change_file(service: RunningService, *statements: str) -> None:
    connection = apsw.Connection(str(service.registry_file))
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()


def test_registry_out_of_reach_is_503_and_mends_itself(troubled: RunningService) -> None:
    """Also to who was waiting; with Retry-After, and a log line. Nothing is passed that can't be checked."""
    token = troubled.token(troubled.new_application())
    bearer = {"Authorization": f"Bearer {token}"}
    assert troubled.client.get(ENDPOINT_PATH, headers=bearer).status_code == 200
    with held_poll(troubled, version_of(troubled)) as connection:
        _change_file(troubled, "ALTER TABLE clock RENAME COLUMN revocations_version TO away")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 503 ")
    answer = poll(troubled)
    assert (answer.status_code, answer.json()) == (503, UNAVAILABLE)
    assert answer.headers["retry-after"] == "2"
    assert troubled.client.get(ENDPOINT_PATH, headers=bearer).status_code == 503
    troubled.wait_for_line(lambda line: line["event"] == "revocation feed failed")
    _change_file(troubled, "ALTER TABLE clock RENAME COLUMN away TO revocations_version")
    assert poll(troubled).status_code == 200
    assert troubled.client.get(ENDPOINT_PATH, headers=bearer).status_code == 200


def test_z59_leaving_worker_lets_nobody_wait(tmp_path: Path) -> None:
    """SIGTERM answers who waits at once, and later polls, so that the drain takes no longer than without them."""
    service = start_service(tmp_path / "data")
    since = version_of(service)
    with held_poll(service, since, wait=30) as connection:
        service.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        answer = connection.recv(65_536)
        assert time.monotonic() - began < 1
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer.lower()
        assert poll(service, since=since, wait=30).status_code == 200
        assert time.monotonic() - began < 1
    assert service.process.wait(5) == 0
    assert time.monotonic() - began < 4
    service.end()


def test_z04_acknowledged_revocation_survives_kill_nine(tmp_path: Path) -> None:
    """Killed right after the change returned, the next start tells it in its first answer, and gives no token."""
    service = start_service(tmp_path / "data")
    application = service.new_application()
    token = service.token(application)
    since = version_of(service)
    with service.registry.change("test") as change:
        disable_application(change, application.application_id)
    service.end(at_once=True)
    with running_service(tmp_path / "data", at_once=True) as again:
        page = poll(again, since=since).json()
        assert [void_before for _, void_before, _ in page["applications"]] == [change.version]
        assert again.ask(application).status_code == 401
        assert again.client.get(ENDPOINT_PATH, headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_z27_restored_backup_goes_on_above_every_version(tmp_path: Path) -> None:
    """A copy put back tells a higher version than verifiers heard before; what it lost, they keep themselves."""
    service = start_service(tmp_path / "data")
    before = version_of(service)
    backup = tmp_path / "backup.sqlite3"
    _change_file(service, f"VACUUM INTO '{backup}'")
    heard = revoke(service, "lost")
    assert digests(poll(service, since=before).json()) == {subject_digest(RevocationKind.TOKEN, "lost")}
    service.end(at_once=True)
    for file in service.data_folder.glob("registry.sqlite3*"):
        file.unlink()
    backup.chmod(0o600)
    backup.rename(service.registry_file)

    with running_service(tmp_path / "data", at_once=True) as restored:
        page = poll(restored, since=heard).json()
        assert page["version"] > heard
        assert digests(page) == set()
        with restored.registry.view() as view:
            assert find_revocation(view, RevocationKind.TOKEN, "lost") is None
        assert revoke(restored, "again") > page["version"]


def test_z09_registry_from_before_the_feed_gets_its_key_at_the_next_start(tmp_path: Path) -> None:
    """And one that it has, it keeps."""
    service = start_service(tmp_path / "data")
    service.end(at_once=True)
    _change_file(service, "DELETE FROM feed_keys")
    service = start_service(tmp_path / "data")
    keys = service.client.get("/v1/revocations/keys").content
    assert poll(service).headers["sensos-signature"]
    service.end(at_once=True)
    with running_service(tmp_path / "data", at_once=True) as again:
        assert again.client.get("/v1/revocations/keys").content == keys


def test_a_writer_who_holds_the_registry_delays_no_poll(troubled: RunningService) -> None:
    """Reports of verifiers queue behind it, in a thread of their own; reading goes on."""
    token = troubled.token(troubled.new_application(scope="auth:verifier"))
    began = threading.Event()
    end = threading.Event()

    def hold() -> None:
        connection = apsw.Connection(str(troubled.registry_file))
        connection.execute("BEGIN IMMEDIATE")
        began.set()
        end.wait(5)
        connection.execute("ROLLBACK")
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    began.wait()
    for _ in range(3):
        started = time.monotonic()
        assert poll(troubled, token, verifier="patient").status_code == 200
        assert time.monotonic() - started < 0.5
        time.sleep(0.15)
    end.set()
    holder.join()
