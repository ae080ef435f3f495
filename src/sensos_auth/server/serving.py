"""The processes of the service: one parent, and workers that answer on the same port."""

import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from sensos_auth.issuing.configuration import obtain_master_key, signing_algorithm, token_settings
from sensos_auth.issuing.feed_signer import keep_feed_key
from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.location import database_url
from sensos_auth.server.limits import limit_settings
from sensos_auth.server.log_lines import configure_logging, http_server_logging
from sensos_auth.server.log_sink import LogSink
from sensos_auth.server.usage_writer import usage_is_counted
from sensos_auth.server.webhook import webhook_settings

# Seconds for the headers of a request, which is also how long an idle connection is kept. The body has as long again.
HEADER_DEADLINE_SECONDS = 10
DRAIN_SECONDS = 12
# timeout(1) sends its signal twice, to the process and to its group: that is no second wish.
SAME_SIGNAL_SECONDS = 0.2
_LARGEST_HEADERS = 64 * 1024
# Connections that a worker holds at once; beyond it they wait in the queue, where nothing is spent on them.
_MOST_CONNECTIONS = 8_192
_OTHER_FILES = 64


def prepare(environment: Mapping[str, str]) -> None:
    """Bring the registry up to date and make sure that a key signs tokens, and one the revocation feed.

    Raises ConfigurationError, which says what to mend, or RegistryUnavailable.
    """
    token_settings(environment)
    webhook_settings(environment)
    limit_settings(environment)
    usage_is_counted(environment)
    registry = open_registry(database_url(environment))
    try:
        master_key = obtain_master_key(registry, environment)
        keep_keys_current(registry, master_key, signing_algorithm(environment))
        keep_feed_key(registry, master_key)
        obtain_master_key(registry, environment)  # another node may have made the first keys meanwhile, with its own
        _note_start(registry)
    finally:
        registry.close()


def _note_start(registry: Registry) -> None:
    """Write into the audit trail that the service starts, which also moves the registry version up to this moment.

    So a registry restored from a backup is at once ahead of what verifiers heard from it before.
    """
    with suppress(RegistryUnavailable), registry.change("system:serve") as change:  # it can issue without
        change.record("service.started", "service")


def serve(*, host: str, port: int, workers: int, when_started: Callable[[], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then let every request that has begun end. The environment configures it.

    What has not ended after 12 seconds, or at another signal 0.2 seconds later, is cut off. Ctrl-C reaches the workers
    as well: what is under way is answered, but nobody is told in time to go elsewhere
    (:mod:`sensos_auth.server.draining`).

    ``when_started`` is called once the workers have been started. Raises ConfigurationError, before anything is served,
    when something must be mended first.
    """
    with _log_written_out():
        _serve(host, port, workers, when_started)


def _serve(host: str, port: int, workers: int, when_started: Callable[[], None] | None) -> None:
    prepare(os.environ)
    check_address(host, port)
    server = _Server(
        "sensos_auth.server.worker:worker",
        factory=True,
        address=host,
        port=port,
        workers=workers,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(
            header_read_timeout=HEADER_DEADLINE_SECONDS * 1000, max_buffer_size=_LARGEST_HEADERS
        ),
        log_level=LogLevels.warning,
        log_dictconfig=http_server_logging(),
        respawn_failed_workers=True,
        backpressure=_connections(),
    )
    log = structlog.get_logger()
    log.info("serving", host=host, port=port, workers=workers)
    server.when_started = when_started
    server.serve()
    log.info("stopped")


@contextmanager
def _log_written_out() -> Iterator[None]:
    sink = LogSink()
    configure_logging(sink)
    sink.start()
    try:
        yield
    finally:
        sink.close()


class _Server(MPServer):
    """Granian's parent process, with an end of its own: its ``workers_kill_timeout`` takes ended workers for stuck."""

    def __init__(self, target: str, **settings: Any) -> None:  # noqa: ANN401 - as Granian has them
        super().__init__(target, **settings)
        self.when_started: Callable[[], None] | None = None
        self._process = os.getpid()
        self._interrupted_at = 0.0

    def startup(self, spawn_target: Any, target_loader: Any) -> None:  # noqa: ANN401 - as Granian has it
        super().startup(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        # Not as a hook of Granian's, before the workers are forked: a thread that imports a module in that instant
        # would leave them its lock on it, for ever.
        if self.when_started is not None:
            self.when_started()

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Granian has it
        if os.getpid() != self._process:
            os._exit(0)  # a worker, just forked, that has no handler of its own yet, nor a request
        if not self.interrupt_signal:
            self._interrupted_at = time.monotonic()
        elif time.monotonic() - self._interrupted_at > SAME_SIGNAL_SECONDS:
            threading.Thread(target=self._cut_off, daemon=True).start()
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]

    def signal_handler_reload(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as Granian has it
        self.signal_handler_interrupt(*args, **kwargs)  # SIGHUP: the terminal was closed

    def shutdown(self, exit_code: int = 0) -> None:
        timer = threading.Timer(DRAIN_SECONDS, self._cut_off)
        timer.daemon = True
        timer.start()
        super().shutdown(exit_code)  # type: ignore[no-untyped-call]
        timer.cancel()

    def _cut_off(self) -> None:
        for worker in list(self.wrks):
            if worker.is_alive():  # type: ignore[no-untyped-call]
                worker.kill()  # type: ignore[no-untyped-call]
                structlog.get_logger().warning("worker cut off", worker=worker.idx + 1)


def _connections() -> int:
    """Return how many connections a worker may hold, so that it never runs out of files: it would spin on that."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS allows less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(1, min(_MOST_CONNECTIONS, files - _OTHER_FILES))


def check_address(host: str, port: int) -> None:
    """Raise ConfigurationError when nothing can listen there, because somebody does already or it is not ours."""
    # Workers share their port (SO_REUSEPORT), and so would a second service of the same user, unnoticed.
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host} port {port} ({error.strerror}): choose another with --host and --port"
        ) from error
