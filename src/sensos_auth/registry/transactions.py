"""Reading and changing the registry: views, and changes with their version and their audit events."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

from sensos_auth.model.errors import Conflict, NotFound
from sensos_auth.registry.audit_chain import StoredEvent, chained_hash
from sensos_auth.registry.database import Database
from sensos_auth.registry.program_age import check_program
from sensos_auth.registry.statements import load_statements

# Actions after which everything is allowed that was before. Whatever is not named here may take something away.
_GIVING: Final = frozenset(
    {
        "application.created",
        "application.enabled",
        "authentication.refused",
        "feed_key.created",
        "issuing.unlocked",
        "master_key.rotated",
        "secret.created",
        "secret.expires_soon",
        "service.started",
        "signing_key.erased",
        "signing_key.published",
        "tenant.created",
        "tenant.enabled",
    }
)


def unix_milliseconds() -> int:
    """Return the time now, in UTC milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class View:
    """One consistent state of the registry. ``now`` is in UTC seconds."""

    connection: Any
    statements: Any
    now: int


@dataclass(frozen=True, slots=True)
class Change(View):
    """One transaction that changes the registry: who acts, and the registry version it will have."""

    actor: str
    version: int
    # Of the last event before this change, and then of each that it has recorded.
    _hashes: list[bytes | None]
    _actions: set[str] = field(default_factory=set)

    def record(self, action: str, subject: str, *, tenant_id: str | None = None, **details: str | int | None) -> None:
        """Write the audit event of what this change does.

        ``action`` is such as ``application.disabled``, ``subject`` the ID of what it was done to. ``details`` must
        never hold a secret.
        """
        event = StoredEvent(
            version=self.version,
            position=len(self._hashes) - 1,
            at=self.now,
            actor=self.actor,
            action=action,
            tenant_id=tenant_id,
            subject=subject,
            details=json.dumps({name: value for name, value in details.items() if value is not None}),
        )
        self._actions.add(action)
        before = self._hashes[-1]
        self._hashes.append(chained_hash(before, event))
        self.statements.record_event(self.connection, **event._asdict(), hash_before=before, hash=self._hashes[-1])

    def take_in(self, events: Iterable[tuple[StoredEvent, bytes | None]]) -> None:
        """Let the trail go on with events that happened before this change, which has recorded none yet.

        They are given with their hashes, in their order, and are older than this change.
        """
        before = self._hashes[-1]
        for event, digest in events:
            self.statements.record_event(self.connection, **event._asdict(), hash_before=before, hash=digest)
            before = digest
        self._hashes[:] = [before]

    @property
    def is_recorded(self) -> bool:
        """Tell whether the change has written an audit event."""
        return len(self._hashes) > 1

    @property
    def takes_away(self) -> bool:
        """Tell whether there is anything in it that somebody could wait for to be gone."""
        return not self._actions <= _GIVING


class Registry:
    """Tenants, applications, secrets, signing keys and the audit trail, in one database.

    Used by one thread at a time. ``clock`` returns UTC milliseconds.

    ``settle`` is called when something was taken away that other nodes may go by for so many seconds more, and when it
    turns out to be gone already: it waits, or lets whoever answers wait.
    """

    def __init__(self, database: Database, clock: Callable[[], int] = unix_milliseconds) -> None:
        self.database = database
        self.settle: Callable[[float], None] = time.sleep
        self._clock = clock
        self._statements = load_statements(database.driver)

    def another(self) -> Self:
        """Return the same registry for another thread. Raises ConfigurationError, RegistryUnavailable."""
        return type(self)(self.database.another(), self._clock)

    @contextmanager
    def view(self) -> Iterator[View]:
        """Read one consistent state. Raises RegistryUnavailable."""
        with self.database.read() as connection:
            yield View(connection, self._statements, self._clock() // 1000)

    @contextmanager
    def change(self, actor: str) -> Iterator[Change]:
        """Change the registry in one transaction, on behalf of ``actor``; on an exception nothing has happened.

        A change that records no audit event is rolled back with a RuntimeError. Raises RegistryUnavailable, and
        ProgramTooOld, which is one, when a newer program has upgraded the registry beyond this one. When the block has
        ended, no node goes by what the change has taken away, nor by what it was refused for because it is gone.
        """
        with self.refusals_settled(), self._change(actor) as change:
            yield change

    @contextmanager
    def refusals_settled(self) -> Iterator[None]:
        """Have NotFound and Conflict leave the block only when no node goes by what was before.

        Somebody else may have taken it away just now, and still wait for that.
        """
        try:
            yield
        except (NotFound, Conflict):
            if self.database.settles_in:
                self.settle(self.database.settles_in)
            raise

    @contextmanager
    def _change(self, actor: str) -> Iterator[Change]:
        with self.database.write() as connection:
            now = self._clock()
            version, audit_hash, oldest = self._statements.advance_clock(connection, now_ms=now)
            check_program(oldest)
            hashes: list[bytes | None] = [audit_hash]
            change = Change(connection, self._statements, now // 1000, actor, version, hashes)
            yield change
            if not change.is_recorded:
                raise RuntimeError("a change of the registry must record an audit event")
            self._statements.write_audit_hash(connection, hash=hashes[-1])
        if change.takes_away and self.database.settles_in:
            self.settle(self.database.settles_in)

    @contextmanager
    def observation(self) -> Iterator[View]:
        """Write down what was observed, and clean up: no decision, so no new version and no audit event.

        For rows that may be lost with the machine, because they come again by themselves: this does not wait for the
        disk. Raises RegistryUnavailable.
        """
        with self.database.write(is_losable=True) as connection:
            check_program(self._statements.oldest_program(connection))
            yield View(connection, self._statements, self._clock() // 1000)

    def close(self) -> None:
        """Close the database."""
        self.database.close()
