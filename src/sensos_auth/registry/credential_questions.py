"""Reading credentials from PostgreSQL for requests that wait for them: one statement, on a connection of its own."""

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


class CredentialQuestions:
    """Asks the database at ``url``, over a connection that is made when it is needed. Used by one thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._statements = load_statements("psycopg")
        self._connection: Connection | None = None

    def ask(self, digests: list[bytes]) -> ReadTogether:
        """Return what is known of the secrets with these digests; raises RegistryUnavailable, ConfigurationError."""
        if self._connection is not None:
            with suppress(RegistryUnavailable):  # the server was restarted: it may be back already
                return self._ask(self._connection, digests)
        with postgresql_errors():
            self._connection = connect(self._url, "credentials", statement_ms=int(_LONGEST_ANSWER * 1000))
        self._connection.longest_answer = _LONGEST_ANSWER
        return self._ask(self._connection, digests)

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
