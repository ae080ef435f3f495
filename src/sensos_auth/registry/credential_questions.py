"""Reading credentials from PostgreSQL for requests that wait for them: one statement, on a connection of its own."""

import random
import time
from contextlib import suppress
from typing import Final

import psycopg

from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry.credentials import ReadTogether, find_credentials
from sensos_auth.registry.postgresql import postgresql_errors
from sensos_auth.registry.postgresql_connection import Connection, connect
from sensos_auth.registry.statements import load_statements
from sensos_auth.registry.transactions import View

# Seconds that an answer may take. By then nobody waits for it any more.
_LONGEST_ANSWER: Final = 1.0
# Seconds after which it is tried again to connect, drawn anew each time: a server that has just too many connections is
# not asked for one by each request of each node.
_SOONEST, _LATEST = 0.05, 0.2


class CredentialQuestions:
    """Asks the database at ``url``, over a connection that is made when it is needed. Used by one thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._statements = load_statements("psycopg")
        self._connection: Connection | None = None
        self._connects_from = 0.0  # on the monotonic clock

    def ask(self, digests: list[bytes]) -> ReadTogether:
        """Return what is known of the secrets with these digests; raises RegistryUnavailable, ConfigurationError."""
        if self._connection is not None:
            with suppress(RegistryUnavailable):  # the server was restarted: it may be back already
                return self._ask(self._connection, digests)
        return self._ask(self._connect(), digests)

    def _connect(self) -> Connection:
        if time.monotonic() < self._connects_from:
            raise RegistryUnavailable("the PostgreSQL registry could not be reached a moment ago")
        try:
            with postgresql_errors():
                self._connection = connect(self._url, "credentials", statement_ms=int(_LONGEST_ANSWER * 1000))
        except RegistryUnavailable:
            self._connects_from = time.monotonic() + random.uniform(_SOONEST, _LATEST)  # noqa: S311 - no secret
            raise
        self._connection.longest_answer = _LONGEST_ANSWER
        return self._connection

    def _ask(self, connection: Connection, digests: list[bytes]) -> ReadTogether:
        try:
            with postgresql_errors():
                return find_credentials(View(connection, self._statements, 0), digests)
        except RegistryUnavailable:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
