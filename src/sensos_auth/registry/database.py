"""The narrow seam to a database engine: serialised writes, consistent reads, and nothing else."""

from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

from sensos_auth.registry.statements import Driver


class Database(Protocol):
    """A way into an engine. Used by one thread at a time; :meth:`another` is for another thread.

    Both transactions yield the driver's own connection, for the statements to run on, and raise RegistryUnavailable
    when the engine can't serve now.
    """

    driver: Driver
    settles_in: float
    """Seconds after which no node goes by what it knew before a change that was committed now."""

    def another(self) -> Self:
        """Return the same database for another thread; raises as opening it did."""

    def write(self, *, is_losable: bool = False) -> AbstractContextManager[Any]:
        """Return a transaction that excludes other writers, commits at the end and rolls back on an exception.

        What it wrote is on the disk when the block has ended; with ``is_losable`` it may be lost with the power.
        """

    def read(self) -> AbstractContextManager[Any]:
        """Return a transaction that sees one state of the registry from beginning to end."""

    def has_table(self, connection: Any, name: str) -> bool:  # noqa: ANN401 - the driver's own type
        """Tell whether there is a table of that name."""

    def run_script(self, connection: Any, script: str) -> None:  # noqa: ANN401 - the driver's own type
        """Run several statements, without parameters, inside the open transaction.

        ``/*sqlite …*/`` (on one line) and ``/*postgresql …*/`` hold what one engine runs, and the other one takes for a
        comment.
        """

    def close(self) -> None:
        """Close what was opened here."""
