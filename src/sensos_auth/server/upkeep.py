"""What a worker does beside answering: keeps the signing keys current, cleans up, and ends when its parent is gone."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import closing

import structlog

from sensos_auth.issuing.configuration import obtain_master_key, signing_algorithm
from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.issuing.takeover import put_takeover_off
from sensos_auth.model.errors import SensosAuthError
from sensos_auth.registry import Registry, open_registry
from sensos_auth.registry.location import database_url
from sensos_auth.registry.revocations import purge_ended_revocations
from sensos_auth.registry.verifiers import purge_verifiers
from sensos_auth.server.log_lines import described

ROTATION_SECONDS = 60
_PARENT_SECONDS = 1.0


class Upkeep:
    """A thread with a registry connection of its own, so that no request waits for its writes."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        parent = multiprocessing.parent_process()
        # Not os.getppid(): the parent may have ended before this worker was ready to look.
        self._parent = os.getppid() if parent is None else parent.pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, timeout: float = 3.0) -> None:
        """End, waiting at most ``timeout`` seconds for what is under way."""
        self._ended.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        ticks = 0
        while not self._ended.wait(_PARENT_SECONDS):
            if os.getppid() != self._parent:
                os.kill(os.getpid(), signal.SIGINT)  # ends sooner than SIGTERM: a successor may want the port
                return
            ticks += 1
            if ticks % ROTATION_SECONDS == 0:
                self._do("signing keys could not be kept current", self._keep_keys_current)
                self._do("what has ended could not be cleaned up", _clean_up)

    def _do(self, failure: str, duty: Callable[[Registry], None]) -> None:
        try:
            with closing(open_registry(database_url(self._environment))) as registry:
                duty(registry)
        except SensosAuthError as error:
            structlog.get_logger().warning(failure, reason=str(error))
        except Exception as error:  # noqa: BLE001 - the thread must live on; the next minute tries again
            structlog.get_logger().error(failure, **described(error))

    def _keep_keys_current(self, registry: Registry) -> None:
        master_key = obtain_master_key(registry, self._environment)
        key = keep_keys_current(registry, master_key, signing_algorithm(self._environment))
        if key is not None:
            structlog.get_logger().info("signing key published", kid=key.kid, signs_from=key.signs_from)
        put_off = put_takeover_off(registry)
        if put_off is not None:  # how many verifiers, not which: their names are what clients sent
            structlog.get_logger().warning(
                "signing key waits for verifiers",
                kid=put_off.kid,
                signs_from=put_off.signs_from,
                verifiers=len(put_off.verifiers),
            )


def _clean_up(registry: Registry) -> None:
    purge_ended_revocations(registry)
    purge_verifiers(registry)
