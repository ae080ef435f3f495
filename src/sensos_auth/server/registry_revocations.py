"""The service's own verifier asks the registry itself what is void: a revoked token is refused at once."""

import apsw

from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.model.revocation import Provenance
from sensos_auth.registry import Registry
from sensos_auth.registry.revocations import is_void
from sensos_auth.registry.sqlite import SqliteDatabase
from sensos_auth.registry.statements import load_statements
from sensos_auth.verifying import RevocationsUnavailable


class RegistryRevocations:
    """The revocations of the registry, read at every use: nothing is held, so nothing has to be loaded or forgotten."""

    def __init__(self, registry: Registry) -> None:
        assert isinstance(registry.database, SqliteDatabase)
        self._registry = registry
        self._cursor = registry.database.connection.cursor()
        self._statement: str = load_statements("apsw").revocations_version.sql

    def generation(self) -> int:
        """Return the version of the last revocation; raises RevocationsUnavailable when the registry can't be read."""
        try:  # one statement and no view, which takes 15 µs: this is asked with every request
            ((version,),) = self._cursor.execute(self._statement).fetchall()
        except apsw.Error as error:
            raise _unreadable() from error
        return int(str(version))

    def voids(self, token: Provenance) -> bool:
        """Tell whether the token is void at this moment; raises RevocationsUnavailable, as above."""
        try:
            with self._registry.view() as view:
                return is_void(view, token)
        except RegistryUnavailable as error:
            raise _unreadable() from error


def _unreadable() -> RevocationsUnavailable:
    return RevocationsUnavailable("the registry cannot be read right now")
