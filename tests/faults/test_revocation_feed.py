"""The revocation feed through what happens to networks, servers and clocks: the real service, followed by verifiers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from sensos_auth.model.revocation_page import FEED_KEYS_PATH
from sensos_auth.registry.applications import disable_application
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.verifying import (
    Caller,
    ConnectedVerifier,
    InvalidToken,
    RemoteJwks,
    RemoteRevocations,
    Verifier,
    VerifierCredentials,
)
from tests.running_service import (
    AUDIENCE,
    COMMAND,
    JWKS_PATH,
    ExampleApplication,
    RunningService,
    free_port,
    start_service,
)
from tests.tcp_proxy import TcpProxy, tcp_proxy

pytestmark = [pytest.mark.slow, pytest.mark.waits]


@dataclass
class Behind:
    """A service behind a proxy, whose address is the issuer's."""

    service: RunningService
    proxy: TcpProxy

    @property
    def issuer(self) -> str:
        """Return where verifiers go."""
        return f"http://127.0.0.1:{self.proxy.port}"

    def token(self) -> tuple[ExampleApplication, str]:
        """Return a token of a new application."""
        application = self.service.new_application()
        return application, self.service.token(application)

    def disable(self, application: ExampleApplication) -> None:
        """Disable the application, as the command line does."""
        with self.service.registry.change("test") as change:
            disable_application(change, application.application_id)

    def restart(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Kill the service, and start it again on the same port."""
        self.service.end(at_once=True)
        meanwhile()
        old = self.service
        self.service = start_service(old.data_folder, port=old.port, environment=old.environment)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """Run one service for all of these."""
    port = free_port()
    with tcp_proxy(port) as proxy:
        environment = {"SENSOS_AUTH_ISSUER": f"http://127.0.0.1:{proxy.port}"}
        service = start_service(tmp_path_factory.mktemp("feed") / "data", port=port, environment=environment)
        behind = Behind(service, proxy)
        try:
            yield behind
        finally:
            behind.service.end(at_once=True)


@contextmanager
def connected(issuer: str, **settings: object) -> Iterator[ConnectedVerifier]:
    """Connect a verifier that is ready."""
    with closing(Verifier.connect(issuer, audience=AUDIENCE, **settings)) as verifier:  # type: ignore[arg-type]
        verifier.wait_until_ready()
        time.sleep(0.3)  # until its poll waits at the server
        yield verifier


def refused_after(verifier: Verifier, token: str, seconds: float) -> float:
    """Return how long the token was still good; fails when that is too long."""
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        try:
            verifier.verify(token)
        except InvalidToken as error:
            if error.reason == "revoked":
                return time.monotonic() - began
            raise
        time.sleep(0.005)
    raise AssertionError(f"the token is still good after {seconds} s")


def test_what_is_revoked_is_refused_within_a_second(behind: Behind) -> None:
    """Five times in a row, with the connection undisturbed."""
    with connected(behind.issuer) as verifier:
        for _ in range(5):
            application, token = behind.token()
            assert isinstance(verifier.verify(token), Caller)
            behind.disable(application)
            refused_after(verifier, token, 1.0)


def test_a_cut_connection_is_made_again(behind: Behind) -> None:
    """At once: a revocation right after the cut arrives in a second or so."""
    with connected(behind.issuer) as verifier:
        application, token = behind.token()
        verifier.verify(token)
        behind.proxy.cut()
        behind.disable(application)
        refused_after(verifier, token, 1.5)


def test_z75_a_connection_that_is_dead_in_silence_is_noticed(behind: Behind) -> None:
    """No later than 3 s after its poll should have been answered, which here is a second after it was sent."""
    with connected(behind.issuer, max_staleness=5) as verifier:
        application, token = behind.token()
        verifier.verify(token)
        behind.proxy.swallows = True
        try:
            behind.disable(application)
            time.sleep(1.2)
        finally:
            behind.proxy.swallows = False
        assert isinstance(verifier.verify(token), Caller)
        refused_after(verifier, token, 5)


def test_z73_a_restarted_server_un_revokes_nothing_and_is_followed_again(behind: Behind) -> None:
    """Killed and started again: what was void stays void all the time, and news come within two seconds."""
    with connected(behind.issuer) as verifier:
        first, first_token = behind.token()
        second, second_token = behind.token()
        verifier.verify(first_token)
        verifier.verify(second_token)
        behind.disable(first)
        refused_after(verifier, first_token, 1.0)
        behind.restart(lambda: refused_after(verifier, first_token, 0.1))
        behind.disable(second)
        refused_after(verifier, second_token, 2.5)
        refused_after(verifier, first_token, 0.1)


def test_a_restored_backup_un_revokes_nothing(behind: Behind) -> None:
    """The file of before the revocation is put back: the running verifier still refuses, and hears what comes next."""
    service = behind.service
    with connected(behind.issuer) as verifier:
        application, token = behind.token()
        later, later_token = behind.token()
        verifier.verify(token)
        verifier.verify(later_token)
        copy = service.data_folder / "copy"
        subprocess.run([sys.executable, "-c", _BACKUP, str(service.registry_file), str(copy)], check=True, timeout=20)
        behind.disable(application)
        refused_after(verifier, token, 1.0)

        def restore() -> None:
            for suffix in ("-wal", "-shm"):
                service.registry_file.with_name(service.registry_file.name + suffix).unlink(missing_ok=True)
            copy.chmod(0o600)
            shutil.move(copy, service.registry_file)

        behind.restart(restore)
        assert behind.service.ask(application).status_code == 200  # the registry has forgotten that it is disabled
        refused_after(verifier, token, 0.1)
        behind.disable(later)
        refused_after(verifier, later_token, 6)
        refused_after(verifier, token, 0.1)


def test_z27_a_restore_under_a_running_fleet_gives_nothing_back(behind: Behind, tmp_path: Path) -> None:
    """With its journal: verifiers refuse all the time and hear what comes next, and so does one that starts anew."""
    service = behind.service
    backup, journal = tmp_path / "backup.sqlite3", tmp_path / "audit.jsonl"

    def run(*arguments: str) -> None:
        subprocess.run([COMMAND, *arguments], env=service.environment, check=True, capture_output=True, timeout=30)

    with connected(behind.issuer) as verifier:
        application, token = behind.token()
        later, later_token = behind.token()
        verifier.verify(token)
        run("backup", str(backup))
        lost, lost_token = behind.token()
        verifier.verify(lost_token)
        behind.disable(application)
        refused_after(verifier, token, 1.0)
        run("audit", "export", "--to", str(journal))

        def restore() -> None:
            run("restore", str(backup), "--force", "--journal", str(journal))
            refused_after(verifier, token, 0.1)

        behind.restart(restore)
        assert [behind.service.ask(each).status_code for each in (application, lost, later)] == [401, 401, 200]
        refused_after(verifier, lost_token, 6)
        behind.disable(later)
        refused_after(verifier, later_token, 6)
        refused_after(verifier, token, 0.1)
    with connected(behind.issuer) as fresh:
        for each in (token, later_token, lost_token):
            refused_after(fresh, each, 0.1)


_BACKUP = """
import sys, apsw
source, target = apsw.Connection(sys.argv[1]), apsw.Connection(sys.argv[2])
with target.backup("main", source, "main") as backup:
    backup.step()
target.close()
"""


def test_z57_a_stopped_verifier_refuses_before_it_accepts(behind: Behind) -> None:
    """Stopped for longer than max_staleness: its first answer is no pass, though it has heard nothing yet."""
    application, token = behind.token()
    program = _VERIFYING.format(issuer=behind.issuer, audience=AUDIENCE)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(token + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "Caller\n"
            time.sleep(0.2)
            process.send_signal(signal.SIGSTOP)
            behind.disable(application)
            time.sleep(6)
            process.send_signal(signal.SIGCONT)
            assert process.stdout.readline() == "RevocationsUnavailable\n"
            assert process.stdout.readline() == "InvalidToken\n"
        finally:
            process.kill()


# Says its first answer, and from then on those that come after it was stopped: the first, and each that differs.
_VERIFYING = """
import sys, time
from sensos_auth.verifying import Verifier
verifier = Verifier.connect({issuer!r}, audience={audience!r}, when_stale="refuse", max_staleness=5)
verifier.wait_until_ready()
token = sys.stdin.readline().strip()

def answer():
    try:
        return type(verifier.verify(token)).__name__
    except Exception as error:
        return type(error).__name__

print(answer(), flush=True)
at = time.monotonic()
while time.monotonic() - at < 3:
    at = time.monotonic()
    time.sleep(0.002)
last = ""
while True:
    now = answer()
    if now != last:
        print(now, flush=True)
    last = now
"""


@pytest.mark.parametrize("step", [3600.0, -3600.0])
def test_z53_steps_of_a_verifiers_clock_hold_nothing_up(behind: Behind, step: float) -> None:
    """Forward or back by an hour: a revocation arrives as ever, and is still there when the clock is right again."""
    ahead = 0.0
    keys = RemoteJwks(behind.issuer + JWKS_PATH)
    with closing(keys), closing(RemoteRevocations(behind.issuer, now=lambda: time.time() + ahead)) as revocations:
        verifier = Verifier(issuer=behind.issuer, audience=AUDIENCE, keys=keys, revocations=revocations)
        keys.wait_until_ready()
        revocations.wait_until_ready()
        application, token = behind.token()
        verifier.verify(token)
        ahead = step
        behind.disable(application)
        refused_after(verifier, token, 1.5)
        ahead = 0.0
        refused_after(verifier, token, 0.1)


def test_z72_a_verifier_starts_while_the_server_is_away(behind: Behind, tmp_path: Path) -> None:
    """From what it kept: good tokens are good, void ones void; and it follows when the server is back."""
    application, token = behind.token()
    later, later_token = behind.token()
    behind.disable(application)
    with connected(behind.issuer, state_folder=tmp_path / "state"):
        pass

    def start() -> None:
        with connected(behind.issuer, state_folder=tmp_path / "state") as verifier:
            assert isinstance(verifier.verify(later_token), Caller)
            refused_after(verifier, token, 0.1)

    behind.restart(start)
    with connected(behind.issuer, state_folder=tmp_path / "state") as verifier:
        refused_after(verifier, token, 0.1)
        verifier.verify(later_token)
        behind.disable(later)
        refused_after(verifier, later_token, 1.0)


def test_verifiers_with_credentials_are_listed(behind: Behind) -> None:
    """With the version and the keys that they hold."""
    application = behind.service.new_application(scope="auth:verifier")
    credentials = VerifierCredentials(application.tenant_id, application.application_id, application.secret)
    with connected(behind.issuer, credentials=credentials, name="gate-7") as verifier:
        time.sleep(1)
        command = [COMMAND, "verifiers", "list", "--json"]
        listed = subprocess.run(
            command, env=behind.service.environment, capture_output=True, text=True, check=True, timeout=20
        )
        health = verifier.health()
        assert health.revocations is not None
        assert health.revocations.counted_as == "gate-7"
        assert "gate-7" in listed.stdout
        assert json.loads(listed.stdout)


def test_the_feeds_key_and_the_tokens_keys_are_apart(behind: Behind) -> None:
    """No key of one set is in the other, by key ID or by value."""
    feed = httpx2.get(behind.issuer + FEED_KEYS_PATH).json()["keys"]
    tokens = httpx2.get(behind.issuer + JWKS_PATH).json()["keys"]
    assert len(feed) == 1
    assert {key["kid"] for key in feed}.isdisjoint(key["kid"] for key in tokens)
    assert {key["x"] for key in feed}.isdisjoint(key["x"] for key in tokens)


def test_one_revoked_token_leaves_the_others_good(behind: Behind) -> None:
    """By its ID, of the same application."""
    application = behind.service.new_application()
    first, second = behind.service.token(application), behind.service.token(application)
    with connected(behind.issuer) as verifier:
        token_id = verifier.verify(first).token_id
        assert token_id is not None
        with behind.service.registry.change("test") as change:
            revoke_token(change, token_id)
        refused_after(verifier, first, 1.0)
        assert isinstance(verifier.verify(second), Caller)


def test_a_forked_worker_hears_of_revocations(behind: Behind) -> None:
    """As under a server that loads the application and forks."""
    application, token = behind.token()
    with connected(behind.issuer) as verifier:
        verifier.verify(token)
        receiving, sending = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                verifier.wait_until_ready()
                verifier.verify(token)
                os.write(sending, b"1")
                refused_after(verifier, token, 5)
                os.write(sending, b"2")
            finally:
                os._exit(0)
        os.close(sending)
        try:
            assert os.read(receiving, 1) == b"1"
            behind.disable(application)
            assert os.read(receiving, 1) == b"2"
        finally:
            os.close(receiving)
            os.waitpid(child, 0)
