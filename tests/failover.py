"""A failover that loses the last changes, as an asynchronous standby may: a copy of the database takes its place."""

from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict

from sensos_auth.registry import Registry
from tests.registries import Place


@dataclass
class Failover:
    """A registry on PostgreSQL, a standby's copy of it as of some moment, and the takeover."""

    place: Place

    def copy(self) -> None:
        """Let the standby hear everything until now, and nothing more."""
        self._run_alone(f'CREATE DATABASE "{self._name}_standby" TEMPLATE "{self._name}"')

    def take_over(self) -> Registry:
        """Put the standby in the place of the registry, and return it."""
        self._run_alone(
            f'ALTER DATABASE "{self._name}" RENAME TO "{self._name}_lost"',
            f'ALTER DATABASE "{self._name}_standby" RENAME TO "{self._name}"',
        )
        return self.place.open()

    @property
    def _name(self) -> str:
        return str(conninfo_to_dict(self.place.address)["dbname"])

    def _run_alone(self, *commands: str) -> None:
        """Run the commands while nobody is connected to the registry, nor can be."""
        name = self._name
        with psycopg.connect(self.place.address, dbname="postgres", autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
            query = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(query, (name,))
            for command in commands:
                connection.execute(command.encode())
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
