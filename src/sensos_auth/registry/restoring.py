"""Restoring a backup: the registry as it was, without what was taken away since, as far as there is evidence."""

import dataclasses
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import apsw

from sensos_auth.model.errors import ConfigurationError, InvalidInput, RegistryUnavailable
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.registry.audit_export import ExportedEvent
from sensos_auth.registry.audit_verification import verify_trail
from sensos_auth.registry.backup import Manifest, partial_file, read_manifest
from sensos_auth.registry.feed_evidence import apply_feed
from sensos_auth.registry.issuing_lock import RESTORED, UNLOCKED, issuing_locked_at, lock_issuing
from sensos_auth.registry.journal import as_audit_events, events_since
from sensos_auth.registry.migrating import migrate
from sensos_auth.registry.replacing import reserved_place
from sensos_auth.registry.replay import replay
from sensos_auth.registry.sqlite import SqliteDatabase, check_engine
from sensos_auth.registry.transactions import Change, Registry, unix_milliseconds

_ACTOR = "system:restore"
# Milliseconds. No registry version is so far ahead of the time, unless somebody made it up.
_AHEAD_AT_MOST = 10 * 365 * 86_400_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What tells of the time after the backup: audit exports, each in its order, and the feed that a verifier kept."""

    journals: Sequence[Iterable[ExportedEvent]] = ()
    feed: RevocationPage | None = None


class Since(NamedTuple):
    """What is known of the time after the backup: events, a feed, and the newest registry version that was given."""

    events: Sequence[ExportedEvent]
    feed: RevocationPage | None
    newest: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    ``known_until`` (UTC seconds) is up to when it is known what was taken away, ``version`` the registry's now.
    ``replayed`` audit events came from the journal, ``taken`` things were taken away because the feed named them,
    ``lost`` is how many things were made after the backup. ``tampered`` events of the backup's own
    audit trail are not what was written. ``kept`` is where the old registry is now.
    """

    manifest: Manifest
    version: int
    known_until: int
    is_locked: bool
    replayed: int
    taken: int
    lost: int
    tampered: int
    kept: Path | None


def restore(
    backup: Path,
    target: Path,
    evidence: Evidence,
    *,
    replace: bool,
    check: Callable[[Registry], None],
    clock: Callable[[], int] = unix_milliseconds,
) -> Restored:
    """Put the registry of the backup in the place of ``target``, all that is known to be taken away taken away.

    Issuing is locked unless a journal tells what happened since. ``check`` looks at the restored registry, before it
    is put in its place, and raises if it is not to be. ``clock`` returns UTC milliseconds.

    Raises Conflict when a service runs on the target, or there is one and not ``replace``; InvalidInput for a journal
    that does not go on where the backup ended; ConfigurationError for a file that is no backup or not sound.
    """
    check_engine(apsw.sqlite_lib_version())
    manifest = checked_backup(backup)
    since = known_since(manifest, evidence, clock())
    with reserved_place(target, replace=replace) as place, partial_file(target) as (partial, _):
        _copy(backup, partial)
        database = SqliteDatabase(partial)
        with closing(database):
            migrate(database, clock() // 1000)
            registry = Registry(database, clock)
            with registry.view() as view:
                tampered = len(verify_trail(view).findings)
            with database.write() as connection:
                connection.execute("DROP TABLE backup")
            restored = take_away(registry, manifest, since, tampered)
            check(registry)
        return dataclasses.replace(restored, kept=place.put(partial))


def checked_backup(path: Path) -> Manifest:
    """Return what the backup says of itself; raises ConfigurationError unless it is one, complete and sound."""
    try:
        url = path.resolve(strict=True).as_uri() + "?immutable=1"
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        with closing(apsw.Connection(url, flags=flags)) as connection:
            manifest = read_manifest(connection)
            if manifest is None:
                raise ConfigurationError(f"{path} is no backup that was completed: sensos-auth backup makes one")
            findings = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
            if findings != ["ok"] or connection.execute("PRAGMA foreign_key_check").fetchall():
                raise ConfigurationError(f"the backup {path} is damaged: restore another one")
    except (apsw.Error, OSError) as error:
        raise ConfigurationError(f"{path} is no backup, or is damaged: {type(error).__name__}") from error
    return manifest


def _copy(backup: Path, partial: Path) -> None:
    try:
        shutil.copyfile(backup, partial)
    except OSError as error:
        raise RegistryUnavailable(f"the backup could not be copied beside the registry: {error.strerror}") from error


def known_since(manifest: Manifest, evidence: Evidence, now_ms: int) -> Since:
    """Return what the evidence tells of the time after the backup; ``now_ms`` is in UTC milliseconds.

    Raises InvalidInput for a journal that does not go on where the backup ended.
    """
    events = events_since(manifest, evidence.journals)
    newest = max([manifest.version, *(each.event.version for each in events[-1:])])
    if evidence.feed is not None:
        newest = max(newest, evidence.feed.version)
    if newest > max(now_ms, manifest.version) + _AHEAD_AT_MOST:
        raise InvalidInput("the evidence tells of registry versions that no clock reaches: it is damaged")
    return Since(events, evidence.feed, newest)


def take_away(registry: Registry, manifest: Manifest, since: Since, tampered: int) -> Restored:
    """Let the trail go on as the journal says, and take away what was taken away, in one transaction.

    The clock goes on above every version that was ever given. ``tampered`` is how many events of the registry's own
    trail are not what was written.
    """
    events, feed = since.events, since.feed
    journal_version = events[-1].event.version if events else 0
    feed_version = 0 if feed is None else feed.version
    # Nothing tells a journal in which nothing happened since from one that ended before.
    is_locked = not events or feed_version > journal_version or _ends_locked(events)
    known_until = events[-1].event.at if events else manifest.made_at
    with registry.observation() as view:
        view.statements.raise_clock(view.connection, version=since.newest)
    with registry.change(_ACTOR) as change:
        change.take_in(events)
        # Who used a secret since is not known: without this it would seem unused for as long, and safe to retire.
        change.statements.forget_secret_uses(change.connection)
        change.statements.end_recording_of_uses(change.connection)
        lost = replay(change, as_audit_events(events))
        taken = 0 if feed is None else apply_feed(change, feed, manifest.version)
        was_locked = issuing_locked_at(change) is not None
        if is_locked:
            lock_issuing(change)
        _record(change, manifest, known_until, is_locked=is_locked, journal=len(events), feed_version=feed_version)
    return Restored(
        manifest=manifest,
        version=change.version,
        known_until=known_until,
        is_locked=is_locked or was_locked,
        replayed=len(events),
        taken=taken,
        lost=lost,
        tampered=tampered,
        kept=None,
    )


def _ends_locked(since: Sequence[ExportedEvent]) -> bool:
    """Tell whether issuing was locked when the journal ended, by a restore that nobody has confirmed."""
    is_locked = False
    for event, _ in since:
        if event.action == RESTORED:
            is_locked = is_locked or '"issuing": "locked"' in event.details
        elif event.action == UNLOCKED:
            is_locked = False
    return is_locked


def _record(
    change: Change, manifest: Manifest, known_until: int, *, is_locked: bool, journal: int, feed_version: int
) -> None:
    change.record(
        RESTORED,
        "registry",
        backup_version=manifest.version,
        backup_made_at=manifest.made_at,
        known_until=known_until,
        journal_events=journal,
        feed_version=feed_version or None,
        issuing="locked" if is_locked else None,
    )
