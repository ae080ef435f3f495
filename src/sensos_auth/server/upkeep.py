"""What a worker does beside answering: keeps the signing keys current, and ends when its parent is gone."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping

import structlog

from sensos_auth.issuing.configuration import obtain_master_key, signing_algorithm
from sensos_auth.issuing.key_rotation import keep_keys_current
from sensos_auth.model.errors import SensosAuthError
from sensos_auth.registry import open_registry
from sensos_auth.registry.location import database_url
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
                self._keep_keys_current()

    def _keep_keys_current(self) -> None:
        log = structlog.get_logger()
        try:
            registry = open_registry(database_url(self._environment))
            try:
                key = keep_keys_current(
                    registry, obtain_master_key(registry, self._environment), signing_algorithm(self._environment)
                )
            finally:
                registry.close()
        except SensosAuthError as error:
            log.warning("signing keys could not be kept current", reason=str(error))
        except Exception as error:  # noqa: BLE001 - the thread must live on; the next minute tries again
            log.error("signing keys could not be kept current", **described(error))  # noqa: TRY400 - without its text
        else:
            if key is not None:
                log.info("signing key published", kid=key.kid, signs_from=key.signs_from)
