"""Shares a worker's limits with the others: a thread that talks to the server, so that no request ever waits for it.

While the server is away, slow or full, each worker counts by itself. What it took meanwhile is told afterwards, as far
as it still matters (:mod:`sensos_auth.server.shared_buckets`).
"""

import asyncio
import queue
import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing

import structlog

from sensos_auth.server.limits_server import LimitsNotShared, LimitsServer
from sensos_auth.server.limits_url import LimitsUrl
from sensos_auth.server.log_lines import described
from sensos_auth.server.shared_buckets import Batch, SharedBuckets
from sensos_auth.server.token_buckets import TokenBuckets

# Seconds between two exchanges, drawn anew each time, so that workers don't keep step.
_SHORTEST, _LONGEST = 0.08, 0.12
# Seconds before it connects anew, doubled each time, and by how much a pause may be shorter.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0
_LEAST_OF_PAUSE = 0.5
_DOUBLINGS = 5
# Seconds after which a lost connection counts as the first one: servers close what is idle, and are restarted.
_LASTING = 5.0


class LimitsSharing:
    """The thread. ``buckets`` are those of each limit, by its name; the event loop takes from them."""

    def __init__(self, url: LimitsUrl, issuer: str, buckets: Mapping[str, TokenBuckets]) -> None:
        self._url = url
        self._issuer = issuer
        # With the limit in the name: what a bucket lacks of one says nothing of another that is set in its place.
        names = {name: f"{name} {each.limit}".replace(" ", "-") for name, each in buckets.items()}
        self._shared = {names[name]: SharedBuckets(each) for name, each in buckets.items()}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._collected: queue.SimpleQueue[dict[str, Batch] | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._failures = 1  # the first one is told of at once
        self._has_told = False
        self._shares_since = 0.0
        self._thread = threading.Thread(target=self._run, name="limits", daemon=True)

    def start(self) -> None:
        """Begin, for the event loop that runs now."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self, timeout: float = 0.5) -> None:
        """End, waiting at most ``timeout`` seconds for what is under way. Others don't hear of the last takes."""
        self._ended.set()
        self._collected.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._ended.is_set():
            self._shares_since = float("inf")
            try:
                with closing(LimitsServer(self._url, self._issuer)) as server:
                    self._note_that_it_shares()
                    self._share(server)
            except Exception as error:  # noqa: BLE001 - the thread must live on; workers count by themselves meanwhile
                self._note_failure(error)
                self._ended.wait(self._pause())

    def _share(self, server: LimitsServer) -> None:
        while not self._ended.wait(random.uniform(_SHORTEST, _LONGEST)):  # noqa: S311 - no secret
            if not self._in_event_loop(self._collect):
                return
            batches = self._collected.get()
            if batches is None:
                return
            lacking = {name: server.add(name, batch.told) for name, batch in batches.items() if batch.told}
            self._in_event_loop(self._take_in, batches, lacking)

    def _collect(self) -> None:
        self._collected.put({name: shared.collect() for name, shared in self._shared.items()})

    def _take_in(self, batches: Mapping[str, Batch], lacking: Mapping[str, list[int]]) -> None:
        for name, numbers in lacking.items():
            self._shared[name].take_in(batches[name], numbers)

    def _in_event_loop(self, call: Callable[..., None], *arguments: object) -> bool:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:  # the loop is closed: the worker ends
            return False
        return True

    def _note_that_it_shares(self) -> None:
        self._shares_since = time.monotonic()
        if self._has_told:
            self._has_told = False
            structlog.get_logger().info("limits are shared again", server=self._url.place)

    def _note_failure(self, error: Exception) -> None:
        if time.monotonic() - self._shares_since > _LASTING:
            self._failures = 0
        self._failures += 1
        if self._failures == 1 or self._has_told:
            return
        self._has_told = True
        log = structlog.get_logger()
        if isinstance(error, LimitsNotShared):
            log.warning("limits are not shared", server=self._url.place, reason=str(error))
        else:
            log.error("limits are not shared", server=self._url.place, **described(error))

    def _pause(self) -> float:
        doublings = self._failures - 2
        if doublings < 0:
            return 0.0
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(doublings, _DOUBLINGS))
        return longest * random.uniform(_LEAST_OF_PAUSE, 1.0)  # noqa: S311 - no secret
