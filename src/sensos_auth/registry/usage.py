"""What was used: tokens and refusals by application and minute, and when each secret was last used.

No row for each token, and none for each refusal: the service counts in memory, and adds its counts here once a minute.
They may be lost with the machine, and never decide about a request.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, Literal, NamedTuple

import apsw

from sensos_auth.registry.transactions import Registry, View

KEPT_MINUTES = 35 * 24 * 60
Period = Literal["minute", "hour", "day"]
_MINUTES: Mapping[Period, int] = {"minute": 1, "hour": 60, "day": 24 * 60}
_ROWS_OF_A_STATEMENT = 50
_VALUES = re.compile(r"VALUES \([^)]*\)")
# Minutes of rows that one purge removes: few enough for writers to wait for it.
_PURGED_AT_ONCE = 10


class SecretUse(NamedTuple):
    """When the secret was last used, and when the last token that was obtained with it expires; UTC seconds."""

    last_used_at: int
    tokens_expire_at: int


class MinuteCount(NamedTuple):
    """What happened in a minute (UTC minutes since the epoch).

    Tokens are counted with the secret that they were obtained with, refusals with ``""`` and the application that the
    request named.
    """

    minute: int
    application_id: str
    secret_id: str
    tokens: int
    refusals: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and refusals of an application in the minute, hour or day (UTC) that began at ``starts_at`` (UTC seconds).

    ``application_id`` is empty and ``tenant_id`` is None for refusals that named no application of this registry.
    """

    application_id: str
    tenant_id: str | None
    starts_at: int
    tokens: int
    refusals: int


def record_counts(view: View, counts: Iterable[MinuteCount]) -> None:
    """Add the counts to those that are there; inside ``registry.observation()``.

    Refusals that name an application which was never made are added up under ``""``: nobody fills the disk with names.
    Counts in the order of time, application and secret are written fastest.
    """
    rows = [each if each.secret_id or _was_made(view, each.application_id) else _of_nobody(each) for each in counts]
    _write_rows(view, view.statements.add_usage, MinuteCount._fields, rows)


def record_uses(view: View, uses: Iterable[tuple[str, int, int]]) -> None:
    """Keep the last use of each secret, unless a later one is there; inside ``registry.observation()``.

    ``uses`` has secret IDs, when they were used, and when the last token that was obtained with them expires (UTC
    seconds).
    """
    _write_rows(view, view.statements.write_secret_use, ("secret_id", "last_used_at", "tokens_expire_at"), list(uses))


def note_that_uses_are_recorded(registry: Registry, *, are_recorded: bool) -> None:
    """Write down that from now on uses of secrets are recorded, or are not; of no effect where that is known.

    Where they are not, what was recorded before is forgotten: it would make secrets in use look unused, and advise to
    retire them. Raises RegistryUnavailable.
    """
    with registry.view() as view:
        recorded_from, has_uses = view.statements.recording_of_uses(view.connection)
    if are_recorded and recorded_from is None:
        with registry.observation() as view:
            view.statements.note_recording_of_uses(view.connection, now=view.now)
    elif not are_recorded and (recorded_from is not None or has_uses):
        with registry.observation() as view:
            view.statements.forget_secret_uses(view.connection)
            view.statements.end_recording_of_uses(view.connection)


def use_of_secret(view: View, secret_id: str) -> SecretUse | None:
    """Return the last use of the secret that was recorded, some minutes ago at most; None where there is none."""
    row = view.statements.secret_use(view.connection, secret_id=secret_id)
    return None if row is None else SecretUse(*row)


def usage_of(
    view: View,
    *,
    from_minute: int,
    until_minute: int,
    per: Period = "minute",
    tenant_id: str | None = None,
    application_id: str | None = None,
    after: tuple[int, str] | None = None,
    limit: int = 100,
) -> list[Usage]:
    """Return up to ``limit`` counts of the minutes ``from_minute`` to before ``until_minute``, added up per period.

    They come by time and application ID; ``after`` is the pair (``starts_at``, ``application_id``) after which to go
    on. With ``application_id`` only those of the application, with ``tenant_id`` only those of the tenant's
    applications, with both only where they belong together. What is older than 35 days is not there any more.
    """
    size = _MINUTES[per]
    after_minute, after_application = (-1, "") if after is None else (after[0] // 60, after[1])
    from_minute = max(from_minute, after_minute, view.now // 60 - KEPT_MINUTES)
    until_minute = min(until_minute, view.now // 60 + 1)
    if from_minute >= until_minute:
        return []
    parameters = {
        "from_minute": from_minute,
        "until_minute": until_minute,
        "per": size,
        "after_minute": after_minute,
        "after_application": after_application,
        "limit": limit,
    }
    statements, connection = view.statements, view.connection
    if application_id is not None:
        rows = statements.usage_of_application(connection, **parameters, application_id=application_id)
    elif tenant_id is not None:
        rows = statements.usage_of_tenant(connection, **parameters, tenant_id=tenant_id)
    else:
        rows = statements.usage_of_all(connection, **parameters)
    found = [Usage(application, tenant, minute * 60, *counts) for application, tenant, minute, *counts in rows]
    return [each for each in found if tenant_id is None or each.tenant_id == tenant_id]


def tokens_alive(view: View, secret_id: str, lifetime: int) -> int:
    """Return how many tokens that were obtained with the secret may not have expired, if each lives ``lifetime`` s.

    At most a minute's tokens too many; those of the last minute or two may be missing. What was revoked is counted.
    """
    from_minute = (view.now - lifetime + 1) // 60
    until_minute = view.now // 60 + 1
    return int(
        view.statements.tokens_of_secret(
            view.connection, secret_id=secret_id, from_minute=from_minute, until_minute=until_minute
        )
    )


def purge_usage(registry: Registry) -> None:
    """Forget the oldest minutes that are older than 35 days: some at a time. Raises RegistryUnavailable."""
    with registry.view() as view:
        oldest, keep_from = view.statements.oldest_usage(view.connection), view.now // 60 - KEPT_MINUTES
    if oldest is None or oldest >= keep_from:
        return
    with registry.observation() as view:
        view.statements.purge_usage(view.connection, before_minute=min(keep_from, oldest + _PURGED_AT_ONCE))


def _was_made(view: View, application_id: str) -> bool:
    return bool(view.statements.was_application_made(view.connection, application_id=application_id))


def _of_nobody(count: MinuteCount) -> MinuteCount:
    return count._replace(application_id="")


def _write_rows(
    view: View,
    statement: Any,  # noqa: ANN401 - aiosql's
    names: tuple[str, ...],
    rows: Sequence[tuple[str | int, ...]],
) -> None:
    if isinstance(view.connection, apsw.Connection):
        for first in range(0, len(rows), _ROWS_OF_A_STATEMENT):
            some = rows[first : first + _ROWS_OF_A_STATEMENT]
            view.connection.execute(_with_rows(statement.sql, len(names), len(some)), [*chain(*some)]).fetchall()
    else:
        statement(view.connection, [dict(zip(names, row, strict=True)) for row in rows])


@cache
def _with_rows(sql: str, columns: int, rows: int) -> str:
    """Return the statement for so many rows at once, by place: a third less work for SQLite than one by one."""
    row = f"({', '.join('?' * columns)})"
    return _VALUES.sub(f"VALUES {', '.join([row] * rows)}", sql)
