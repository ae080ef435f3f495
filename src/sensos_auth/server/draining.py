"""The end of a worker: every request that has begun is answered, and no connection that was taken is reset.

SIGTERM starts it. For a second everything is still answered, but each answer ends its connection and ``/readyz`` says
503, so that clients and balancers go elsewhere. Then new connections are held back, those that wait in the queue are
taken, and Granian ends what is idle and waits for what has begun.

What remains: a client that sends on a connection which was idle for that second, at the moment when it is closed, finds
it closed without an answer. HTTP/1.1 has no remedy but its retry (RFC 9112 section 9.3.1). A connection that never sent
anything is waited for, because its request may be on the way, for as long as headers have. New connections can be held
back on Linux only; elsewhere those of the last milliseconds may be reset.
"""

import asyncio
import ctypes
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

LEAVING_SECONDS = 1.0
_QUEUE_SECONDS = 0.2

_SO_ATTACH_FILTER = 26
# A classic BPF program over the TCP header (Linux, networking/filter): a segment with the SYN flag is dropped, so that
# the client sends it again a second later; everything that belongs to a connection passes.
_DROP_SYN = b"".join(
    struct.pack("HBBI", *instruction)
    for instruction in ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFF_FFFF))
)


class Drain:
    """Whether this worker is about to end. ``has_begun`` never becomes false again."""

    def __init__(self) -> None:
        self.has_begun = False

    def begin_on_sigterm(self, loop: asyncio.AbstractEventLoop, when_begun: Callable[[], None]) -> None:
        """Take SIGTERM over from Granian, whose own end comes with SIGINT once everything is prepared for it."""

        def begin() -> None:
            if self.has_begun:
                return
            self.has_begun = True
            when_begun()
            loop.call_later(LEAVING_SECONDS, _hold_back_new_connections)
            loop.call_later(LEAVING_SECONDS + _QUEUE_SECONDS, os.kill, os.getpid(), signal.SIGINT)

        loop.add_signal_handler(signal.SIGTERM, begin)


def _hold_back_new_connections() -> None:
    if sys.platform != "linux":
        return
    program = ctypes.create_string_buffer(_DROP_SYN)
    attachment = struct.pack("HP", len(_DROP_SYN) // 8, ctypes.addressof(program))
    with suppress(OSError):  # a kernel without such filters, or a file closed meanwhile: the rest of the drain goes on
        for listener in _listeners():
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, attachment)


def _listeners() -> Iterator[socket.socket]:
    # Granian doesn't hand out its listening socket: found among the open files of this process.
    for path in list(Path("/proc/self/fd").iterdir()):
        if path.is_socket():
            with socket.socket(fileno=os.dup(int(path.name))) as copy:
                if copy.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    yield copy
