"""Where log lines go: none is lost while there is room, and none ever holds up a request."""

import io
import threading
import time
from typing import Any

import pytest

from sensos_auth.server.log_sink import LogSink


class StuckStream(io.BytesIO):
    """A stream whose reader does not read until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = threading.Event()
        self.flows = threading.Event()

    def write(self, data: Any) -> int:  # noqa: ANN401 - as BytesIO has it
        """Wait, then write."""
        self.is_asked.set()
        self.flows.wait(10)
        return super().write(data)


class FullStream(io.BytesIO):
    """A stream on a disk that is full the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = True
        self.is_asked = threading.Event()

    def write(self, data: Any) -> int:  # noqa: ANN401 - as BytesIO has it
        """Fail, or write."""
        if self.is_full:
            self.is_full = False
            self.is_asked.set()
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_lines_keep_their_order_and_none_is_lost() -> None:
    """Also those of the last moment."""
    stream = io.BytesIO()
    sink = LogSink(stream)
    sink.start()
    lines = [b"%d\n" % number for number in range(5000)]
    for line in lines:
        sink.write(line)
    sink.close()
    assert stream.getvalue().splitlines(keepends=True) == lines


def test_lines_appear_soon() -> None:
    """Within a fraction of a second, without anybody closing anything."""
    stream = io.BytesIO()
    sink = LogSink(stream)
    sink.start()
    for text in (b"first\n", b"second\n"):
        sink.write(text)
        give_up_at = time.monotonic() + 2
        while text not in stream.getvalue() and time.monotonic() < give_up_at:
            time.sleep(0.01)
        assert text in stream.getvalue()
    sink.close()


def test_o05_stuck_stream_holds_up_nobody() -> None:
    """Writing takes no time; lines beyond the limit are dropped, and that is told, with their number."""
    stream = StuckStream()
    sink = LogSink(stream, most_lines=100)
    sink.start()
    sink.write(b"first\n")
    assert stream.is_asked.wait(10)  # the thread has taken it, and is stuck with it
    started = time.perf_counter()
    for number in range(1000):
        sink.write(b"%d\n" % number)
    assert time.perf_counter() - started < 0.5
    stream.flows.set()
    sink.close()
    *kept, told = stream.getvalue().splitlines()
    assert kept == [b"first", *(b"%d" % number for number in range(100))]
    assert told == b'{"event":"log lines dropped","level":"error","count":900}'


def test_o06_full_disk_loses_lines_but_not_the_service() -> None:
    """Lines that can't be written are counted; once there is room, that is told and others follow."""
    stream = FullStream()
    sink = LogSink(stream)
    sink.start()
    sink.write(b"lost\n")
    assert stream.is_asked.wait(10)
    sink.write(b"kept\n")
    sink.close()
    assert stream.getvalue() == b'kept\n{"event":"log lines dropped","level":"error","count":1}\n'


@pytest.mark.parametrize("timeout", [0.1])
def test_close_waits_no_longer_than_told(timeout: float) -> None:
    """A stuck stream does not keep the process from ending."""
    sink = LogSink(StuckStream())
    sink.start()
    sink.write(b"line\n")
    started = time.perf_counter()
    sink.close(timeout)
    assert time.perf_counter() - started < 1
