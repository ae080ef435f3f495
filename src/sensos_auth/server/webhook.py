"""Tells the operator's webhook of secrets that end soon, as the Standard Webhooks specification 1.0.0 has it.

At least once, and in order: what was not taken is told again, with growing pauses, also by another worker or after a
restart. What comes twice has the same ``webhook-id``. A redirect is not followed: the signature is for this receiver.
"""

import asyncio
import base64
import binascii
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx2
import msgspec
import structlog

from sensos_auth import __version__
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.iso_time import iso_time
from sensos_auth.model.loopback import is_loopback, may_use_proxy
from sensos_auth.registry import Registry
from sensos_auth.registry.audit_chain import StoredEvent
from sensos_auth.registry.webhook_turns import begin_webhook, note_failure, note_told, take_turn
from sensos_auth.server.outage import Outage

_URL, _SECRET = "SENSOS_AUTH_WEBHOOK_URL", "SENSOS_AUTH_WEBHOOK_SECRET"
_SECRET_PREFIX = "whsec_"  # noqa: S105 - how the specification has a secret begin
_FEWEST_BYTES, _MOST_BYTES = 24, 64
# Seconds; the first for everything: name, connection, TLS, the answer's headers.
_TIMEOUT = 10.0
_TURN = 60
_FIRST_PAUSE, _LONGEST_PAUSE = 5, 3600
_DOUBLINGS = 12


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Where the receiver is, and the key that signs what it is told. Its representation shows neither."""

    url: str = field(repr=False)
    key: bytes = field(repr=False)


def webhook_settings(environment: Mapping[str, str]) -> WebhookSettings | None:
    """Return ``SENSOS_AUTH_WEBHOOK_URL`` and ``…_SECRET``, or None without the former; raises ConfigurationError."""
    url = environment.get(_URL)
    if url is None:
        return None
    if not _is_receiver(url):
        raise ConfigurationError(
            f"{_URL} must be an https URL, or http to this machine, without user, password and fragment"
        )
    return WebhookSettings(url, _signing_key(environment.get(_SECRET, "")))


def _is_receiver(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, user, _ = parts.hostname or "", parts.username, parts.port
    except ValueError:
        return False
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    return is_safe and bool(host) and user is None and "#" not in url and url.isascii() and not set(url) & set(" \\@")


def _signing_key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_SECRET_PREFIX) or not _FEWEST_BYTES <= len(key) <= _MOST_BYTES:
        raise ConfigurationError(
            f"{_SECRET} must be {_SECRET_PREFIX} and {_FEWEST_BYTES} to {_MOST_BYTES} random bytes in base64: "
            'make one with echo "whsec_$(openssl rand -base64 32)"'
        )
    return key


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``: HMAC-SHA256 over ID, time (UTC seconds) and body."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


class Webhook:
    """A thread with a registry connection of its own for each look."""

    def __init__(self, open_registry: Callable[[], Registry], settings: WebhookSettings, looks_every: float) -> None:
        """Take how to open the registry, and how many seconds lie between two looks."""
        self._open_registry = open_registry
        self._settings = settings
        self._looks_every = looks_every
        self._outage = Outage("webhook could not be looked after", "webhook looked after again")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, timeout: float = 1.0) -> None:
        """End, waiting at most ``timeout`` seconds: what is under way then is told again after the next start."""
        self._ended.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        act: Callable[[Registry], None] = begin_webhook
        while not self._ended.is_set():
            try:
                with closing(self._open_registry()) as registry:
                    act(registry)
            except Exception as error:  # noqa: BLE001 - the thread must live on; the next look tries again
                self._outage.tell(error)
            else:
                self._outage.is_over()
                act = self._tell
            self._ended.wait(self._looks_every)

    def _tell(self, registry: Registry) -> None:
        turn = take_turn(registry, _TURN)
        if turn is None:
            return
        for event in turn.events:
            failure = self._send(event)
            if failure is not None:
                pause = min(_FIRST_PAUSE << min(turn.failures, _DOUBLINGS), _LONGEST_PAUSE)
                note_failure(registry, pause)
                structlog.get_logger().warning("webhook could not be told", reason=failure, seconds=pause)
                return
            is_last = event is turn.events[-1] or self._ended.is_set()
            note_told(registry, event, 0 if is_last else _TURN)
            structlog.get_logger().info("webhook told", type=event.action, subject=event.subject)
            if is_last:
                return

    def _send(self, event: StoredEvent) -> str | None:
        """Return why it was not taken: never the URL nor what the receiver says, which may hold anything."""
        message_id, now, body = f"msg_{event.version}_{event.position}", int(time.time()), payload(event)
        headers = {
            "content-type": "application/json",
            "user-agent": f"sensos-auth/{__version__}",
            "webhook-id": message_id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._settings.key, message_id, now, body),
        }
        loop = asyncio.new_event_loop()  # what ends an answer that comes byte by byte, in time
        try:
            answer = loop.run_until_complete(_post(self._settings.url, body, headers))
        except TimeoutError:
            return f"the receiver did not answer within {_TIMEOUT:g} s"
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return f"the receiver could not be reached: {type(error).__name__}"
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()  # unlike asyncio.run, it does not wait for a name server that is silent
        return None if answer.is_success else f"the receiver answered {answer.status_code}"


async def _post(url: str, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
    # A proxy of the environment may be on the way to https only.
    uses_proxy = may_use_proxy(url)
    async with (
        asyncio.timeout(_TIMEOUT),
        httpx2.AsyncClient(timeout=None, follow_redirects=False, trust_env=uses_proxy) as client,
        client.stream("POST", url, content=body, headers=headers) as answer,
    ):
        return answer


def payload(event: StoredEvent) -> bytes:
    """Return what is sent of an event: JSON of its type, its time, and its data."""
    details = json.loads(event.details)
    data = {
        "secretId": event.subject,
        "applicationId": details["application_id"],
        "tenantId": event.tenant_id,
        "label": details.get("label", ""),
        "expiresAt": iso_time(details["expires_at"]),
        "days": details["days"],
    }
    return msgspec.json.encode({"type": event.action, "timestamp": iso_time(event.at), "data": data})
