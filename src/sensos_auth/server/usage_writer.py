"""Writing down what was counted: once a minute, in a thread with a registry connection of its own.

Neither requests nor other writers wait for it: it writes some rows at a time and pauses between. When the registry
can't be written, counts are kept up to a number, and those of the oldest minutes are lost; requests don't notice.
"""

import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice

from sensos_auth.model.errors import ConfigurationError
from sensos_auth.registry import Registry
from sensos_auth.registry.refusal_samples import sample_refusals
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.registry.usage import MinuteCount, record_counts, record_uses
from sensos_auth.server.outage import Outage
from sensos_auth.server.usage_counter import MOST_SECRETS, Count, UsageCounter

# Rows in one transaction, which takes some milliseconds, and the pause after it in seconds.
_ROWS_AT_ONCE = 1_000
_PAUSE = 0.02
# What SQLite keeps of the file in memory for this thread: rows come in order, each page is needed once.
_CACHE_KIB = 500
# Rows that wait while the registry can't be written.
_MOST_WAITING = 2 * MOST_SECRETS
# Seconds. Where in the minute a worker writes is drawn once, so that workers seldom meet. It is early, because what is
# not written yet takes memory beside what is counted meanwhile.
_MINUTE = 60
_EARLIEST, _LATEST = 1.0, 5.0


def usage_is_counted(environment: Mapping[str, str]) -> bool:
    """Return whether ``SENSOS_AUTH_USAGE`` is ``on``, as it is where nothing else is set; raises ConfigurationError."""
    setting = environment.get("SENSOS_AUTH_USAGE", "on")
    if setting not in {"on", "off"}:
        raise ConfigurationError("SENSOS_AUTH_USAGE must be on or off")
    return setting == "on"


class UsageWriter:
    """Writes what its ``counter`` has counted. ``open_registry`` is called in the thread that writes.

    ``lifetime`` is that of most tokens in seconds. ``clock`` returns UTC seconds.
    """

    def __init__(
        self, open_registry: Callable[[], Registry], lifetime: int, clock: Callable[[], float] = time.time
    ) -> None:
        self.counter = UsageCounter(lifetime, self._write_early)
        self._open_registry = open_registry
        self._registry: Registry | None = None
        self._clock = clock
        self._second = random.uniform(_EARLIEST, _LATEST)  # noqa: S311 - no secret
        self._waiting: deque[Count] = deque()
        self._outage = Outage("usage could not be written down", "usage written down again")
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
        """Write down the minutes before that of ``now`` (UTC seconds); without it, all. In one thread at a time.

        Raises RegistryUnavailable; what is not written yet is kept then, and written the next time.
        """
        self._waiting.extend(self.counter.take(now))
        self._drop_what_is_too_much()
        while self._waiting:
            self._registry = self._registry or self._opened()
            self._write_count(self._registry, self._waiting[0])
            self._waiting.popleft()

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
        except Exception as error:  # noqa: BLE001 - the thread must live on; the next minute tries again
            self._outage.tell(error)
        else:
            self._outage.is_over()

    def _write_count(self, registry: Registry, count: Count) -> None:
        # In order, because neighbours share pages of the file. Uses can be written twice, when the rest fails; what is
        # added up is forgotten as soon as it is there.
        for keys in _some_at_once(count.tokens, _secret_id):
            with registry.observation() as view:
                record_uses(view, [self._use(count, key, view.now) for key in keys])
            self._pause()
        for keys in _some_at_once(count.tokens):
            with registry.observation() as view:
                record_counts(view, [_tokens(count, key) for key in keys])
            for key in keys:
                del count.tokens[key]
            self._pause()
        refused = dict(count.refusals)
        for applications in _some_at_once(refused):
            with registry.observation() as view:
                record_counts(view, [MinuteCount(count.minute, each, "", 0, refused[each]) for each in applications])
            for each in applications:
                del count.refusals[each]
            self._pause()
        sample_refusals(registry, refused)

    def _use(self, count: Count, key: str, now: int) -> tuple[str, int, int]:
        # At the end of its minute, which is near enough: some seconds late, it makes no secret look unused.
        used_at = min(now, count.minute * 60 + 59)
        return _secret_id(key), used_at, used_at + count.lifetimes.get(key, self.counter.lifetime)

    def _opened(self) -> Registry:
        registry = self._open_registry()
        if isinstance(registry.database, SqliteDatabase):
            registry.database.connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}").fetchall()
        return registry

    def _write_early(self) -> None:
        self._is_early.set()

    def _pause(self) -> None:
        if not self._ended.is_set():
            time.sleep(_PAUSE)

    def _drop_what_is_too_much(self) -> None:
        while sum(each.rows for each in self._waiting) > _MOST_WAITING:
            self._waiting.popleft()


def _some_at_once(keys: Iterable[str], id_of: Callable[[str], str] = str) -> Iterator[list[str]]:
    """Return the keys in the order of the IDs in them; those given out are not held on to.

    They are sorted part by part, by the first letter after the prefix (``app_``): sorting all at once would hold up
    requests, and take as much memory again.
    """
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for key in keys:
        parts[id_of(key)[:5]].append(key)
    in_order = chain.from_iterable(sorted(parts.pop(start), key=id_of) for start in sorted(parts))
    while some := list(islice(in_order, _ROWS_AT_ONCE)):
        yield some


def _secret_id(key: str) -> str:
    return key.partition("/")[2]


def _tokens(count: Count, key: str) -> MinuteCount:
    application_id, _, secret_id = key.partition("/")
    return MinuteCount(count.minute, application_id, secret_id, count.tokens[key], 0)
