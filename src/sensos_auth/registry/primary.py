"""Whether PostgreSQL's primary has answered: a standby lags behind, and does not know of what was just taken away.

None is connected to. But a proxy between that understands SQL may send what only reads to one, so each question whose
answer a node goes by asks for this as well.
"""

from typing import Final

from sensos_auth.model.errors import RegistryUnavailable

_STANDBY: Final = (
    "a PostgreSQL standby has answered, which lags behind: connect to the primary itself, past whatever lets standbys "
    "answer"
)


def check_primary(*, is_standby: bool) -> None:
    """Raise RegistryUnavailable for an answer of ``pg_is_in_recovery()`` that is true."""
    if is_standby:
        raise RegistryUnavailable(_STANDBY)
