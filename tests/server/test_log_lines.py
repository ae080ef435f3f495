"""Log lines: JSON, one a line, in UTC, whoever speaks; exceptions without their text."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from sensos_auth.server.log_lines import configure_logging, described, http_server_logging
from sensos_auth.server.log_sink import LogSink


@pytest.fixture
def standard_logging() -> Iterator[logging.Handler]:
    """Configure the standard library's logging as the HTTP server does; put everything back afterwards."""
    root = logging.getLogger()
    granian = logging.getLogger("_granian")
    psycopg = logging.getLogger("psycopg")
    before = (root.handlers[:], root.level, granian.handlers[:], granian.propagate, psycopg.level)
    logging.config.dictConfig(http_server_logging())
    yield granian.handlers[0]
    root.handlers[:], granian.handlers[:] = before[0], before[2]
    root.setLevel(before[1])
    granian.propagate = before[3]
    psycopg.setLevel(before[4])


def _formatted(handler: logging.Handler, record: logging.LogRecord) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(handler.format(record))
    return line


def _record(name: str, message: str, error: Exception | None = None) -> logging.LogRecord:
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord(name, logging.ERROR, "file.py", 1, message, (), exc_info)


def test_o08_line_of_ours() -> None:
    """Event, level, UTC time to the microsecond, and what was given."""
    stream = io.BytesIO()
    sink = LogSink(stream)
    configure_logging(sink)
    structlog.get_logger().warning("something", number=1, text='a"b\nc')
    sink.start()
    sink.close()
    (line,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (line["event"], line["level"], line["number"], line["text"]) == ("something", "warning", 1, 'a"b\nc')
    logged_at = datetime.fromisoformat(line["timestamp"])
    assert logged_at.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - logged_at) < timedelta(seconds=10)


def test_debug_lines_are_not_written() -> None:
    """Nobody turns on by accident what may say too much."""
    stream = io.BytesIO()
    sink = LogSink(stream)
    configure_logging(sink)
    structlog.get_logger().debug("something")
    sink.start()
    sink.close()
    assert stream.getvalue() == b""


@pytest.mark.parametrize(
    ("name", "source"), [("_granian", "http server"), ("sensos_auth.verifying", "sensos_auth.verifying")]
)
def test_lines_of_the_standard_library(standard_logging: logging.Handler, name: str, source: str) -> None:
    """The HTTP server's and everybody else's get the same form."""
    line = _formatted(standard_logging, _record(name, "it broke"))
    assert (line["event"], line["source"], line["level"]) == ("it broke", source, "error")
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)
    assert standard_logging in logging.getLogger(name).handlers or standard_logging in logging.getLogger().handlers


def test_o01_o04_exceptions_are_logged_without_their_text(standard_logging: logging.Handler) -> None:
    """Type and places only, also where asyncio would show the objects around it."""
    with pytest.raises(ValueError, match="4711") as caught:
        int("secret-4711")
    error = caught.value
    line = _formatted(standard_logging, _record("asyncio", "Task exception\nfuture: <Task 'secret-4711'>", error))
    assert (line["event"], line["exception"]) == ("Task exception", "ValueError")
    assert "4711" not in str(line)
    assert "4711" not in str(described(error))
    assert described(error)["places"][0].startswith(__file__)


@pytest.mark.usefixtures("standard_logging")
def test_z29_driver_does_not_tell_of_each_attempt_to_connect() -> None:
    """Its pool writes a line for each of several a second; what it can't cope with is still told."""
    pool = logging.getLogger("psycopg.pool")
    assert not pool.isEnabledFor(logging.WARNING)
    assert pool.isEnabledFor(logging.ERROR)
