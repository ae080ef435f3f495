"""The webhook, with a real receiver: signed, in order, at least once, whatever the receiver does."""

import base64
import hashlib
import hmac
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.applications import create_application
from sensos_auth.registry.location import database_url
from sensos_auth.registry.secrets import create_secret, rotate_secret
from sensos_auth.registry.tenants import create_tenant
from sensos_auth.registry.webhook_turns import begin_webhook
from sensos_auth.server import upkeep, webhook
from sensos_auth.server.log_lines import configure_logging
from sensos_auth.server.log_sink import LogSink
from sensos_auth.server.webhook import signature, webhook_settings
from tests.running_service import free_port

KEY = bytes(range(32))
DRIP = -1  # a status that comes byte by byte, for three seconds
SECRET = "whsec_" + base64.b64encode(KEY).decode()
URL, VARIABLE = "SENSOS_AUTH_WEBHOOK_URL", "SENSOS_AUTH_WEBHOOK_SECRET"


@dataclass
class Received:
    """One request that reached the receiver."""

    path: str
    headers: dict[str, str]
    body: bytes

    def data(self) -> Any:  # noqa: ANN401 - a JSON object
        """Return the data of the event, after checking its signature as the specification tells receivers to."""
        signed = b".".join([self.headers["webhook-id"].encode(), self.headers["webhook-timestamp"].encode(), self.body])
        expected = "v1," + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert self.headers["webhook-signature"] == expected
        assert abs(time.time() - int(self.headers["webhook-timestamp"])) < 30
        event = json.loads(self.body)
        assert event["type"] == "secret.expires_soon"
        return event["data"]


@dataclass
class Receiver:
    """A receiver that answers with ``statuses``, one after the other, and then with 204."""

    port: int
    statuses: list[int] = field(default_factory=list)
    seconds: float = 0.0
    received: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Return where it is."""
        return f"http://127.0.0.1:{self.port}/hook?key=path-secret"

    def secret_ids(self) -> list[str]:
        """Return of which secrets it was told, in order; every signature is good."""
        return [one.data()["secretId"] for one in self.received]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Answer as long as the block lasts."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(self.path, headers, body))
                status = receiver.statuses.pop(0) if receiver.statuses else 204
                if status == 0:
                    time.sleep(receiver.seconds)
                    status = 204
                if status == DRIP:
                    self._drip()
                    return
                with suppress(OSError):
                    self.send_response(status)
                    self.send_header("Location", "/elsewhere")
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def _drip(self) -> None:
                self.close_connection = True
                with suppress(OSError):
                    self.wfile.write(b"HTTP/1.1 204 No Content\r\nX-Slow: ")
                    for _ in range(60):
                        self.wfile.write(b".")
                        time.sleep(0.05)
                    self.wfile.write(b"\r\n\r\n")

            do_GET = do_POST  # noqa: N815 - the standard library's name

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class Deployment:
    """A registry, and upkeep that gives warnings and tells the webhook a hundred times as fast as in life."""

    def __init__(self, folder: Path, url: str) -> None:
        self.environment = {"SENSOS_AUTH_DATA_DIR": str(folder), URL: url, VARIABLE: SECRET}
        self.registry = open_registry(f"sqlite:///{folder / 'registry.sqlite3'}")
        keep_keys_current(self.registry, obtain_master_key(self.registry, self.environment), "ES256")
        begin_webhook(self.registry)
        self._stream = io.BytesIO()
        self._sink = LogSink(self._stream)
        configure_logging(self._sink)
        self._sink.start()

    def new_secrets(self, count: int) -> list[str]:
        """Make so many secrets that end soon, one after the other, and return their IDs."""
        with self.registry.change("me") as change:
            tenant_id = create_tenant(change, name="Acme").tenant_id
            application_id = create_application(change, tenant_id=tenant_id, name="Pump").application_id
            return [
                create_secret(change, application_id=application_id, expires_in=3600 + n, label=f"n {n}").kept.secret_id
                for n in range(count)
            ]

    def open_registry(self) -> Registry:
        """Return a registry of its own for a thread."""
        return open_registry(database_url(self.environment))

    def run(self, is_done: Callable[[], bool], workers: int = 1, seconds: float = 8.0) -> None:
        """Run upkeep until then."""
        running = [upkeep.Upkeep(self.environment, self.open_registry) for _ in range(workers)]
        for one in running:
            one.start()
        give_up_at = time.monotonic() + seconds
        while not is_done() and time.monotonic() < give_up_at:
            time.sleep(0.01)
        time.sleep(0.1)  # for what comes once too often
        for one in running:
            one.close()
        assert is_done(), self.log()

    def log(self) -> list[dict[str, Any]]:
        """Return what was logged."""
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    def events(self) -> list[str]:
        """Return the names of what was logged."""
        return [line["event"] for line in self.log()]

    def close(self) -> None:
        """End the log."""
        self.registry.close()
        self._sink.close()


@pytest.fixture
def receiver() -> Receiver:
    """Return a receiver that does not listen yet."""
    return Receiver(free_port())


@pytest.fixture
def deployment(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """Return a deployment that tells the receiver, and tries again at once."""
    monkeypatch.setattr(upkeep, "_PARENT_SECONDS", 0.01)
    monkeypatch.setattr(upkeep, "ROTATION_SECONDS", 3)
    monkeypatch.setattr(upkeep, "WEBHOOK_LOOKS_EVERY", 0.02)
    monkeypatch.setattr(webhook, "_FIRST_PAUSE", 0)
    monkeypatch.setattr(webhook, "_TIMEOUT", 0.3)
    made = Deployment(tmp_path, receiver.url)
    yield made
    made.close()


def test_signature_is_that_of_the_specification() -> None:
    """A vector of the Standard Webhooks project's own libraries."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_i08_warning_is_told(deployment: Deployment, receiver: Receiver) -> None:
    """Signed, once, as JSON; the trail and the log know of it; nothing secret is in any of them."""
    (secret_id,) = deployment.new_secrets(1)
    with receiver.listening():
        deployment.run(lambda: "webhook told" in deployment.events())
    (received,) = receiver.received
    data = received.data()
    assert (data["secretId"], data["days"], data["label"]) == (secret_id, 1, "n 0")
    assert set(data) == {"secretId", "applicationId", "tenantId", "label", "expiresAt", "days"}
    assert received.headers["content-type"] == "application/json"
    assert received.headers["webhook-id"].startswith("msg_")
    (warning,) = [line for line in deployment.log() if line["event"] == "secret expires soon"]
    assert (warning["level"], warning["secret_id"], warning["days"]) == ("warning", secret_id, 1)
    assert "path-secret" not in str(deployment.log())
    assert SECRET not in str(deployment.log())


def test_what_is_not_taken_is_told_again_and_in_order(deployment: Deployment, receiver: Receiver) -> None:
    """Errors, redirects (which are not followed) and a receiver that takes too long; with the same ID each time."""
    secret_ids = deployment.new_secrets(2)
    receiver.statuses, receiver.seconds = [500, 302, 307, 410, 429, 0, 404, 200], 0.6
    with receiver.listening():
        deployment.run(lambda: deployment.events().count("webhook told") == 2)
    assert receiver.secret_ids() == [secret_ids[0]] * 8 + [secret_ids[1]]
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 2
    assert {one.path for one in receiver.received} == {"/hook?key=path-secret"}
    reasons = [line["reason"] for line in deployment.log() if line["event"] == "webhook could not be told"]
    assert "the receiver answered 302" in reasons
    assert "the receiver did not answer within 0.3 s" in reasons
    assert "path-secret" not in str(deployment.log())


def test_receiver_that_drips_its_answer_holds_nobody_up(deployment: Deployment, receiver: Receiver) -> None:
    """Ten seconds (here 0.3) are for all of it: a byte now and then does not begin them anew."""
    (secret_id,) = deployment.new_secrets(1)
    receiver.statuses = [DRIP, 204]
    started = time.monotonic()
    with receiver.listening():
        deployment.run(lambda: deployment.events().count("webhook told") == 1)
    assert time.monotonic() - started < 2.5
    assert receiver.secret_ids() == [secret_id] * 2
    reasons = [line["reason"] for line in deployment.log() if line["event"] == "webhook could not be told"]
    assert reasons == ["the receiver did not answer within 0.3 s"]


def test_receiver_that_is_down_is_told_after_a_restart(deployment: Deployment, receiver: Receiver) -> None:
    """The service restarts meanwhile, more warnings come, and then the receiver is there: everything, in order."""
    secret_ids = deployment.new_secrets(2)
    deployment.run(lambda: deployment.events().count("webhook could not be told") >= 2)
    secret_ids += deployment.new_secrets(1)
    deployment.run(lambda: deployment.events().count("secret expires soon") == 3)
    with receiver.listening():
        deployment.run(lambda: len(receiver.received) == 3)
    assert receiver.secret_ids() == secret_ids


def test_of_several_workers_one_tells(deployment: Deployment, receiver: Receiver) -> None:
    """Each warning once and in order, as long as none of them dies."""
    secret_ids = deployment.new_secrets(12)
    with receiver.listening():
        deployment.run(lambda: len(receiver.received) == 12, workers=3)
    assert receiver.secret_ids() == secret_ids
    assert deployment.events().count("secret expires soon") == 12


def test_unused_secret_is_retired_and_logged(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The duty of upkeep that does it: a quarter of an hour after the start, when who could not ask before has."""
    (secret_id,) = deployment.new_secrets(1)
    with deployment.registry.change("me") as change:
        row = change.statements.secret(change.connection, secret_id=secret_id)
        rotate_secret(change, application_id=row[1], retire_old_unused_for=60)
        change.statements.note_recording_of_uses(change.connection, now=change.now - 1000)
        change.connection.execute("UPDATE secrets SET retire_unused_from = retire_unused_from - 1000")
    deployment.run(lambda: True)
    assert "unused secret retired" not in deployment.events()
    monkeypatch.setattr(upkeep, "_DUTIES", [duty._replace(begins_after=0.0) for duty in upkeep._DUTIES])
    deployment.run(lambda: "unused secret retired" in deployment.events())
    (line,) = [line for line in deployment.log() if line["event"] == "unused secret retired"]
    assert (line["level"], line["secret_id"]) == ("info", secret_id)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://user:pass@example.com",
        "ftp://127.0.0.1/",
        "https://",
        "https://example.com/#x",
        "https://example.com:port/",
        "https://exa mple.com/",
        "",
        "example.com",
    ],
)
def test_bad_url_is_refused(url: str) -> None:
    """Only https, or http to this machine; and the message does not repeat it."""
    with pytest.raises(ConfigurationError, match=URL) as caught:
        webhook_settings({URL: url, VARIABLE: SECRET})
    assert not url or url not in str(caught.value)


@pytest.mark.parametrize(
    "secret", ["", "whsec_", SECRET.removeprefix("whsec_"), "whsec_c2hvcnQ=", "whsec_ä", "whsec_*" * 9]
)
def test_bad_secret_is_refused(secret: str) -> None:
    """24 to 64 bytes of base64 with the prefix; and the message does not repeat it."""
    with pytest.raises(ConfigurationError, match=VARIABLE) as caught:
        webhook_settings({URL: "https://example.com/hook", VARIABLE: secret})
    assert len(secret) < 8 or secret not in str(caught.value)


def test_without_url_there_is_no_webhook() -> None:
    """And settings show nothing of what they hold."""
    assert webhook_settings({VARIABLE: SECRET}) is None
    settings = webhook_settings({URL: "https://example.com/hook?key=abc", VARIABLE: SECRET})
    assert repr(settings) == "WebhookSettings()"
