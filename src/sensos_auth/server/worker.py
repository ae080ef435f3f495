"""One worker process: its parts, and how they are wired, in one function."""

import asyncio
import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import structlog

from sensos_auth.issuing.configuration import obtain_master_key, signing_algorithm, token_settings
from sensos_auth.issuing.feed_signer import open_feed_signer
from sensos_auth.issuing.issuer import Issuer
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.model.revocation_page import FEED_KEYS_PATH, FEED_PATH
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.location import database_url
from sensos_auth.registry.transactions import unix_milliseconds
from sensos_auth.server import (
    documentation,
    example_api,
    health_endpoints,
    jwks_endpoint,
    token_endpoint,
    verify_endpoint,
)
from sensos_auth.server.access_log import AccessLog
from sensos_auth.server.asgi import Receive, Scope, Send
from sensos_auth.server.at_hand import Part, at_hand
from sensos_auth.server.draining import Drain
from sensos_auth.server.envelope import Envelope
from sensos_auth.server.limits import limit_settings
from sensos_auth.server.log_lines import configure_logging
from sensos_auth.server.log_sink import LogSink
from sensos_auth.server.management.application import TEMPLATES, management_app, management_endpoint
from sensos_auth.server.management.carrying_out import Deployment
from sensos_auth.server.registry_keys import RegistryKeys
from sensos_auth.server.registry_thread import RegistryThread
from sensos_auth.server.revocation_feed import RevocationFeed
from sensos_auth.server.revocations_endpoint import FeedKeysEndpoint, RevocationsEndpoint
from sensos_auth.server.token_meter import TokenMeter
from sensos_auth.server.upkeep import Upkeep
from sensos_auth.server.usage_writer import UsageWriter, usage_is_counted
from sensos_auth.server.verifier_reports import VerifierReports
from sensos_auth.verifying import Verifier

if TYPE_CHECKING:
    from sensos_auth.server.answers import Endpoint


# Seconds between two attempts to reach the registry at a worker's start.
_TRIES_EVERY = 0.5


def utc_seconds() -> int:
    """Return the time now, in whole UTC seconds since the epoch."""
    return int(time.time())


class Service(NamedTuple):
    """What answers, and what runs beside it: all but the feed has nothing to be told but to start and to end."""

    envelope: Envelope
    feed: RevocationFeed
    parts: tuple[Part, ...]


def service(registry: Registry, environment: Mapping[str, str], sink: LogSink, drain: Drain) -> Service:
    """Return the endpoints over the registry, as the environment sets them. Used by one thread, its event loop's."""
    settings = token_settings(environment)
    master_key = obtain_master_key(registry, environment)
    known = at_hand(registry, settings.issuer)
    keyring = Keyring(known.keys, master_key)
    verifier = Verifier(
        issuer=settings.issuer,
        audience=settings.audience,
        keys=RegistryKeys(keyring, utc_seconds),
        revocations=known.revocations,
        clock=utc_seconds,
    )
    usage = UsageWriter(registry.another, settings.lifetime) if usage_is_counted(environment) else None
    meter = TokenMeter(limit_settings(environment), None if usage is None else usage.counter, utc_seconds)
    issuer = Issuer(known.credentials, keyring, settings, utc_seconds, meter.take)
    signer = open_feed_signer(registry, master_key)
    feed = RevocationFeed(registry.another, signer, settings.issuer, known.version)
    reports = VerifierReports(registry.another)
    endpoints: dict[str, Endpoint] = {
        token_endpoint.PATH: token_endpoint.TokenEndpoint(issuer, known.fetch, meter.refuse),
        jwks_endpoint.PATH: jwks_endpoint.JwksEndpoint(keyring, utc_seconds),
        FEED_PATH: RevocationsEndpoint(feed, verifier, reports, unix_milliseconds),
        FEED_KEYS_PATH: FeedKeysEndpoint(signer),
        health_endpoints.ALIVE_PATH: health_endpoints.alive,
        health_endpoints.READY_PATH: health_endpoints.ReadyEndpoint(known.check_ready, keyring, utc_seconds, drain),
        example_api.PATH: example_api.example_api(verifier),
        verify_endpoint.PATH: verify_endpoint.VerifyEndpoint(verifier),
        documentation.DESCRIPTION_PATH: documentation.description,
        documentation.PAGE_PATH: documentation.page,
    }
    thread = RegistryThread(registry.another)
    deployment = Deployment(settings, master_key, signing_algorithm(environment))
    management = management_endpoint(management_app(verifier, thread, deployment))
    envelope = Envelope(endpoints, AccessLog(sink, frozenset(endpoints) | TEMPLATES), management)
    upkeep = Upkeep(environment, registry.another)
    where_set = tuple(part for part in (usage, meter.sharing(settings.issuer)) if part is not None)
    return Service(envelope, feed, (*known.parts, feed, reports, thread, *where_set, upkeep))


class Worker:
    """The ASGI application of a worker process, and what runs beside it from its start to its end."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._sink = LogSink()
        configure_logging(self._sink)
        self._drain = Drain()
        self._registry = open_registry(database_url(environment))
        try:
            self._service = service(self._registry, environment, self._sink, self._drain)
        except BaseException:
            self._registry.close()
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the process through its life (ASGI lifespan)."""
        if scope["type"] == "http":
            await self._service.envelope(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._sink.start()
        for part in self._service.parts:
            part.start()
        self._drain.begin_on_sigterm(asyncio.get_running_loop(), self._leave)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for part in reversed(self._service.parts):
            part.close()
        self._registry.close()  # the last worker's takes the log (-wal) into the file
        self._sink.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _leave(self) -> None:
        self._service.envelope.end_connections()
        self._service.feed.stop_waiting()


def worker() -> Worker:
    """Return the application of this process, configured by its environment."""
    _be_scheduled_in_batches()
    application = _as_soon_as_it_can(os.environ)
    # What is here now stays for the life of the process, and requests leave no cycles: looking for them as often as
    # Python does by itself took 7 % of the token rate.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    return application


def _be_scheduled_in_batches() -> None:
    """Have the threads that this one starts take turns with it as the kernel does with batch jobs (sched(7)).

    The thread that reads from the sockets then takes what has arrived when Python has nothing left to do. Otherwise it
    interrupts Python for each request, at once, and waits for its lock: where a worker has one core, that took a fifth
    of the token rate.
    """
    if sys.platform == "linux":
        with suppress(OSError):  # forbidden in some sandboxes
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _as_soon_as_it_can(environment: Mapping[str, str]) -> Worker:
    """Return the worker once the registry can be reached.

    It may be out of reach when a worker takes the place of one that died. If this one ended as well, Granian would take
    it for a crash loop, and end the other workers with it, which still serve keys and verify.
    """
    parent = multiprocessing.parent_process()
    is_told = False
    while True:
        try:
            return Worker(environment)
        except RegistryUnavailable as error:
            if not is_told:
                _write_out("worker waits for the registry", str(error))
                is_told = True
        if parent is not None and os.getppid() != parent.pid:
            raise SystemExit(1)
        time.sleep(_TRIES_EVERY)


def _write_out(event: str, reason: str) -> None:
    """Log a line before there is a worker whose log is written out."""
    sink = LogSink()
    configure_logging(sink)
    sink.start()
    structlog.get_logger().warning(event, reason=reason)
    sink.close()
