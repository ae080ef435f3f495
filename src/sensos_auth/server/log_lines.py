"""Structured log lines: JSON in production, readable on a terminal. Times are UTC.

A line holds what the service knows, never what a client sent: no path that it does not serve, no header, no body. So no
secret or token can get into it. An exception is told by its type and the places it went through, without its text.
"""

import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from structlog.typing import Processor

from sensos_auth.server.log_sink import LogSink

if TYPE_CHECKING:
    from structlog.typing import EventDict

_encode = msgspec.json.Encoder().encode


def configure_logging(sink: LogSink) -> None:
    """Send structlog's lines to the sink."""
    structlog.configure(
        processors=[*_PREPARE, _renderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(file=sink),  # type: ignore[arg-type]
        cache_logger_on_first_use=True,
    )


def http_server_logging() -> dict[str, Any]:
    """Return the ``logging.config`` dictionary that gives the same form to the lines of Granian, the HTTP server.

    Whatever else speaks through the standard library's logging (our verifier, asyncio) gets it as well.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": _StandardLogFormatter}},
        "handlers": {"line": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "loggers": {
            "_granian": {"handlers": ["line"], "propagate": False},
            # While PostgreSQL is away, its pool writes some lines a second. Our own say it once.
            "psycopg": {"level": "ERROR"},
        },
        "root": {"handlers": ["line"], "level": "WARNING"},
    }


def is_for_people() -> bool:
    """Tell whether a person reads the lines as they come, on a terminal."""
    return sys.stderr.isatty()


def described(error: BaseException) -> dict[str, Any]:
    """Return what may be logged of an exception that nobody expected: its type and the places, not its text."""
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    return {"exception": type(error).__name__, "places": places}


_add_time = structlog.processors.TimeStamper(fmt="iso", utc=True)
_PREPARE = (structlog.processors.add_log_level, _add_time)


def _renderer() -> Processor:
    if is_for_people():
        readable = structlog.dev.ConsoleRenderer()
        return lambda logger, method, line: readable(logger, method, line).encode()
    return lambda _logger, _method, line: _encode(line)


class _StandardLogFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        source = "http server" if record.name == "_granian" else record.name
        # The first line only, and no text of an exception: asyncio shows whole objects below.
        line: EventDict = {"event": record.getMessage().partition("\n")[0], "source": source}
        if record.exc_info and record.exc_info[1]:
            line.update(described(record.exc_info[1]))
        for prepare in _PREPARE:
            line = prepare(None, record.levelname.lower(), line)
        rendered = _renderer()(None, record.levelname.lower(), line)
        return rendered.decode() if isinstance(rendered, bytes) else str(rendered)
