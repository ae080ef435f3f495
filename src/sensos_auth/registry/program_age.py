"""Whether this program may still work on the registry: a newer one may have upgraded it under a program that runs.

When it is opened, :mod:`sensos_auth.registry.migrating` says so. Later it is noticed where the clock's row is read
anyway: in every change, by whoever follows the registry, and when signing keys or the feed are read.
"""

from functools import cache
from typing import Final

from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry.migrating import known_migrations

_TOO_OLD: Final = (
    "a newer Sensos Auth has upgraded the registry, and this program is too old for it now: end it, and start the "
    "newer release in its place"
)


class ProgramTooOld(RegistryUnavailable):
    """What the program would read or write may mean something else by now. Another node, or its successor, can."""

    def __init__(self) -> None:
        super().__init__(_TOO_OLD)


def check_program(oldest_program: int) -> None:
    """Raise ProgramTooOld unless the program knows the migration that ``clock.oldest_program`` asks for."""
    if oldest_program > _last_known_migration():
        raise ProgramTooOld


@cache
def _last_known_migration() -> int:
    return known_migrations()[-1].number
