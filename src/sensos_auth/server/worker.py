"""One worker process: its parts, and how they are wired, in one function."""

import asyncio
import gc
import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sensos_auth.issuing.configuration import obtain_master_key, token_settings
from sensos_auth.issuing.issuer import Issuer
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.credentials import SqliteCredentialReader
from sensos_auth.registry.location import database_url
from sensos_auth.registry.sqlite import SqliteDatabase
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
from sensos_auth.server.draining import Drain
from sensos_auth.server.envelope import Envelope
from sensos_auth.server.log_lines import configure_logging
from sensos_auth.server.log_sink import LogSink
from sensos_auth.server.registry_keys import RegistryKeys
from sensos_auth.server.upkeep import Upkeep
from sensos_auth.verifying import Verifier

if TYPE_CHECKING:
    from sensos_auth.server.answers import Endpoint


def utc_seconds() -> int:
    """Return the time now, in whole UTC seconds since the epoch."""
    return int(time.time())


def service(registry: Registry, environment: Mapping[str, str], sink: LogSink, drain: Drain) -> Envelope:
    """Return the endpoints over the registry, as the environment sets them. Used by one thread, its event loop's."""
    settings = token_settings(environment)
    assert isinstance(registry.database, SqliteDatabase)  # open_registry refuses every other engine so far
    keyring = Keyring(registry, obtain_master_key(registry, environment))
    issuer = Issuer(SqliteCredentialReader(registry.database), keyring, settings, utc_seconds)
    verifier = Verifier(
        issuer=settings.issuer, audience=settings.audience, keys=RegistryKeys(keyring, utc_seconds), clock=utc_seconds
    )
    endpoints: dict[str, Endpoint] = {
        token_endpoint.PATH: token_endpoint.TokenEndpoint(issuer),
        jwks_endpoint.PATH: jwks_endpoint.JwksEndpoint(keyring, utc_seconds),
        health_endpoints.ALIVE_PATH: health_endpoints.alive,
        health_endpoints.READY_PATH: health_endpoints.ReadyEndpoint(keyring, utc_seconds, drain),
        example_api.PATH: example_api.example_api(verifier),
        verify_endpoint.PATH: verify_endpoint.VerifyEndpoint(verifier),
        documentation.DESCRIPTION_PATH: documentation.description,
        documentation.PAGE_PATH: documentation.page,
    }
    return Envelope(endpoints, AccessLog(sink, frozenset(endpoints)))


class Worker:
    """The ASGI application of a worker process, and what runs beside it from its start to its end."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._sink = LogSink()
        configure_logging(self._sink)
        self._drain = Drain()
        self._registry = open_registry(database_url(environment))
        self._service = service(self._registry, environment, self._sink, self._drain)
        self._upkeep = Upkeep(environment)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the process through its life (ASGI lifespan)."""
        if scope["type"] == "http":
            await self._service(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._sink.start()
        self._upkeep.start()
        self._drain.begin_on_sigterm(asyncio.get_running_loop(), self._service.end_connections)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._upkeep.close()
        self._registry.close()  # the last worker's takes the log (-wal) into the file
        self._sink.close()
        await send({"type": "lifespan.shutdown.complete"})


def worker() -> Worker:
    """Return the application of this process, configured by its environment."""
    application = Worker(os.environ)
    # What is here now stays for the life of the process, and requests leave no cycles: looking for them as often as
    # Python does by itself took 7 % of the token rate.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    return application
