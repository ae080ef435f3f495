"""How this program connects to PostgreSQL: never to a standby, and waiting for nothing without an end."""

import re
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from sensos_auth.model.errors import ConfigurationError

_Result = TypeVar("_Result")
Row = tuple[Any, ...]

OLDEST_SERVER: Final = 14
# Seconds. A host that vanished is noticed by the keep-alives; a server that is stopped, or a firewall that swallows
# bytes and still acknowledges them, by LONGEST_ANSWER.
_CONNECTS_WITHIN = 2
LONGEST_ANSWER: Final = 6.0
_KEEPALIVES: Final = {
    "keepalives": 1,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 3000,
}
# Who reads may be slow: an export that somebody pages through.
_OPTIONS = "-c lock_timeout=2000 -c statement_timeout={} -c idle_in_transaction_session_timeout=600000"
_REASON = re.compile(r".*failed: (?:FATAL:\s+)?(.+)")
_NAMED = re.compile(r"'.*'|\".*\"")


class Connection(psycopg.Connection[Row]):
    """A connection that is closed when an answer takes longer than ``longest_answer`` seconds (None: for ever).

    ``warnings`` counts the warnings that the server has sent.
    """

    longest_answer: float | None = LONGEST_ANSWER
    warnings = 0

    def wait(self, gen: PQGen[_Result], interval: float = 0.1, timeout: float | None = None) -> _Result:
        """Wait for the server, at most as long as that. Raises psycopg.OperationalError."""
        try:
            return super().wait(gen, interval, self.longest_answer if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # an answer that comes after all would be taken for that to another question
            raise

    def check_alive(self, seconds: float) -> None:
        """Raise psycopg.OperationalError unless the server answers within so many seconds."""
        usual, self.longest_answer = self.longest_answer, seconds
        try:
            self.execute("")
        finally:
            self.longest_answer = usual


def settings(url: str, purpose: str, *, statement_ms: int = 5000) -> dict[str, Any]:
    """Return the arguments to connect to the URL with.

    ``purpose`` is what ``pg_stat_activity`` shows of the connection. The URL's own ``options`` hold beside ours, which
    come last. Raises psycopg.ProgrammingError for a bad URL.
    """
    chosen = conninfo_to_dict(url).get("options") or ""
    return {
        "autocommit": True,
        "connect_timeout": _CONNECTS_WITHIN,
        "application_name": f"sensos-auth {purpose}",
        "target_session_attrs": "read-write",
        "options": f"{chosen} {_OPTIONS.format(statement_ms)}",
        **_KEEPALIVES,
    }


def connect(url: str, purpose: str, *, statement_ms: int = 5000) -> Connection:
    """Connect. Raises psycopg.OperationalError when the server can't be reached, ConfigurationError for a bad URL."""
    try:
        connection = Connection.connect(url, **settings(url, purpose, statement_ms=statement_ms))
    except psycopg.ProgrammingError:
        # Without its text and its traceback, which may repeat the password.
        raise ConfigurationError(
            "SENSOS_AUTH_DATABASE_URL is no URL of a PostgreSQL database: postgresql://user@host:5432/database"
        ) from None
    watch(connection)
    return connection


def place_of(connection: Connection) -> dict[str, Any]:
    """Return the arguments that have a connection go to the same of the URL's hosts as this one."""
    place = {"host": connection.info.host, "port": connection.info.port, "hostaddr": connection.info.hostaddr}
    return {name: value for name, value in place.items() if value}


def watch(connection: Connection) -> None:
    """Count the warnings of a new connection."""

    def note(warning: psycopg.errors.Diagnostic) -> None:
        connection.warnings += warning.severity_nonlocalized == "WARNING"

    connection.add_notice_handler(note)


def check_server(connection: Connection) -> None:
    """Raise ConfigurationError for a server that is too old, or loses what it has acknowledged."""
    version = connection.info.server_version
    if version < OLDEST_SERVER * 10_000:
        raise ConfigurationError(f"PostgreSQL {version // 10_000} is too old: {OLDEST_SERVER} or newer is needed")
    row = connection.execute("SHOW synchronous_commit").fetchone()
    if row is not None and row[0] == "off":
        raise ConfigurationError(
            "PostgreSQL is set to synchronous_commit = off, and would lose with the power what it has acknowledged: "
            "set it to on, or to what your standbys need"
        )


def reason(error: psycopg.Error) -> str:
    """Return in one line why the server can't be reached, as it or the system says; never anything of the URL."""
    if error.diag.message_primary:
        return error.diag.message_primary
    found = _REASON.findall(str(error))
    # What is named otherwise is taken from the URL, such as a host that is not found.
    return "; ".join(dict.fromkeys(part.strip() for part in found)) or _NAMED.sub("…", str(error).partition("\n")[0])
