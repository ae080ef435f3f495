"""Following a registry on PostgreSQL: asking again and again which version it has, and what has changed."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple, Self

import psycopg

from sensos_auth.registry.postgresql import CHANNEL, postgresql_errors
from sensos_auth.registry.postgresql_connection import connect
from sensos_auth.registry.primary import check_primary
from sensos_auth.registry.program_age import check_program
from sensos_auth.registry.statements import load_statements
from sensos_auth.registry.transactions import View

# Seconds that an answer may take. Whoever follows would rather connect anew.
_LONGEST_ANSWER: Final = 1.0


class Standing(NamedTuple):
    """How things stand: the registry's version, those of the last change to a signing key and to the revocations.

    ``event_version`` and ``audit_hash`` are those of the last audit event, 0 and None before the first;
    ``oldest_program`` says which programs may work on it; ``now`` is the server's time, in UTC seconds.
    """

    version: int
    signing_keys_version: int
    revocations_version: int
    event_version: int
    audit_hash: bytes | None
    oldest_program: int
    now: float


class RegistryFollower:
    """A connection of its own, for one thread. When anything has failed, another one takes its place."""

    def __init__(self, url: str) -> None:
        """Connect, and listen from now on; raises RegistryUnavailable or ConfigurationError."""
        self._statements = load_statements("psycopg")
        with postgresql_errors():
            self._connection = connect(url, "follower", statement_ms=int(_LONGEST_ANSWER * 1000))
            self._connection.longest_answer = _LONGEST_ANSWER
            # First of all: what is committed from here on is either read now or told later.
            self._connection.execute(f"LISTEN {CHANNEL}")

    def standing(self) -> Standing:
        """Ask how things stand; raises RegistryUnavailable, ProgramTooOld."""
        with postgresql_errors():
            *answer, is_standby = self._statements.standing(self._connection)
        check_primary(is_standby=is_standby)
        standing = Standing(*answer)
        check_program(standing.oldest_program)
        return standing

    @contextmanager
    def view(self, now: int) -> Iterator[View]:
        """Read one state of the registry; ``now`` is in UTC seconds. Raises RegistryUnavailable, ProgramTooOld."""
        connection = self._connection
        with postgresql_errors():
            connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
            with connection.transaction():
                oldest_program, is_standby = self._statements.who_reads_where(connection)
                check_primary(is_standby=is_standby)
                check_program(oldest_program)
                yield View(connection, self._statements, now)

    def wait(self, seconds: float) -> None:
        """Return as soon as a change was committed somewhere, and after ``seconds`` at the latest.

        Raises RegistryUnavailable.
        """
        with postgresql_errors():
            for _ in self._connection.notifies(timeout=seconds, stop_after=1):
                pass

    def close(self) -> None:
        """Close the connection."""
        with suppress(psycopg.Error):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
