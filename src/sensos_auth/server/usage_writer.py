"""Writing down what was counted: once a minute, in a thread with a registry connection of its own.

Neither requests nor other writers wait for it: it writes some rows at a time and pauses between. When the registry
can't be written, counts are kept up to a number, and those of the oldest minutes are lost; requests don't notice.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

import structlog

from sensos_auth.model.errors import ConfigurationError, SensosAuthError
from sensos_auth.registry import Registry
from sensos_auth.registry.refusal_samples import sample_refusals
from sensos_auth.registry.usage import MinuteCount, SecretUse, record_counts, record_uses
from sensos_auth.server.log_lines import described
from sensos_auth.server.usage_counter import MOST_REFUSED, Count, UsageCounter

# Rows in one transaction, and the pause after it: it holds other writers up for some 10 ms.
_ROWS_AT_ONCE = 1_000
_PAUSE_SECONDS = 0.02
# Rows that wait while the registry can't be written.
_MOST_ROWS = 200_000
# Seconds. Where in the minute a worker writes is drawn once, so that workers seldom meet.
_MINUTE = 60
_EARLIEST, _LATEST = 1.0, 20.0


def usage_is_counted(environment: Mapping[str, str]) -> bool:
    """Return whether ``SENSOS_AUTH_USAGE`` is ``on``, as it is where nothing else is set; raises ConfigurationError."""
    setting = environment.get("SENSOS_AUTH_USAGE", "on")
    if setting not in {"on", "off"}:
        raise ConfigurationError("SENSOS_AUTH_USAGE must be on or off")
    return setting == "on"


class UsageWriter:
    """Writes what its ``counter`` has counted. ``open_registry`` is called in the thread that writes.

    ``clock`` returns UTC seconds.
    """

    def __init__(self, open_registry: Callable[[], Registry], clock: Callable[[], float] = time.time) -> None:
        self.counter = UsageCounter(self._write_early)
        self._open_registry = open_registry
        self._registry: Registry | None = None
        self._clock = clock
        self._second = random.uniform(_EARLIEST, _LATEST)  # noqa: S311 - no secret
        self._counts: deque[MinuteCount] = deque()
        self._uses: dict[str, SecretUse] = {}
        self._refused: dict[str, int] = {}
        self._is_early = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self, timeout: float = 3.0) -> None:
        """Write what is there and end, waiting at most ``timeout`` seconds."""
        self._ended.set()
        self._is_early.set()
        self._thread.join(timeout)

    def write(self, now: int | None = None) -> None:
        """Write down the minutes before that of ``now`` (UTC seconds), or all; for the thread, and for tests.

        Raises RegistryUnavailable; what is not written yet is kept then, and written the next time.
        """
        for count in self.counter.take(now):
            self._add(count)
        if not (self._counts or self._uses):
            return
        self._registry = registry = self._registry or self._open_registry()
        while self._uses:
            secrets = list(self._uses)[:_ROWS_AT_ONCE]
            with registry.observation() as view:
                record_uses(view, {secret_id: self._uses[secret_id] for secret_id in secrets})
            for secret_id in secrets:
                del self._uses[secret_id]
            self._pause()
        while self._counts:
            rows = [self._counts[place] for place in range(min(_ROWS_AT_ONCE, len(self._counts)))]
            with registry.observation() as view:
                record_counts(view, rows)
            for _ in rows:
                self._counts.popleft()
            self._pause()
        refused, self._refused = self._refused, {}
        sample_refusals(registry, refused)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._is_early.wait(_MINUTE - (self._clock() - self._second) % _MINUTE)
            self._is_early.clear()
            if not self._ended.is_set():
                self._write_or_tell(int(self._clock()))
        self._write_or_tell(None)
        if self._registry is not None:
            self._registry.close()

    def _write_or_tell(self, now: int | None) -> None:
        try:
            self.write(now)
        except SensosAuthError as error:
            structlog.get_logger().warning("usage could not be written down", reason=str(error))
        except Exception as error:  # noqa: BLE001 - the thread must live on; the next minute tries again
            structlog.get_logger().error("usage could not be written down", **described(error))

    def _write_early(self) -> None:
        self._is_early.set()

    def _pause(self) -> None:
        if not self._ended.is_set():
            time.sleep(_PAUSE_SECONDS)

    def _add(self, count: Count) -> None:
        # Sorted, because neighbours share pages of the file.
        for secret_id, (application_id, tokens, last_used_at, expires_at) in sorted(count.used.items()):
            before = self._uses.get(secret_id)
            if before is not None or len(self._uses) < _MOST_ROWS:
                latest = expires_at if before is None else max(expires_at, before.tokens_expire_at)
                self._uses[secret_id] = SecretUse(last_used_at, latest)
            self._counts.append(MinuteCount(count.minute, application_id, secret_id, tokens, 0))
        for application_id, refusals in sorted(count.refusals.items()):
            if application_id in self._refused or len(self._refused) < MOST_REFUSED:
                self._refused[application_id] = self._refused.get(application_id, 0) + refusals
            self._counts.append(MinuteCount(count.minute, application_id, "", 0, refusals))
        while len(self._counts) > _MOST_ROWS:
            self._counts.popleft()
