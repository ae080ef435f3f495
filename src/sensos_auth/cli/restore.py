"""``sensos-auth restore``: a backup in the registry's place, and what was taken away since taken away again."""

import os
from pathlib import Path

import click
import msgspec

from sensos_auth.cli.failing import Refused
from sensos_auth.cli.opening import opened_registry
from sensos_auth.cli.parameters import example, json_option
from sensos_auth.cli.printing import Members, in_words, iso_time, print_thing
from sensos_auth.issuing.configuration import obtain_master_key, token_settings
from sensos_auth.model.errors import InvalidInput
from sensos_auth.model.revocation_page import RevocationPage
from sensos_auth.registry import Registry, restoring
from sensos_auth.registry.audit_export import read_export
from sensos_auth.registry.location import database_url
from sensos_auth.registry.opening import is_postgresql, sqlite_file
from sensos_auth.registry.restoring import Evidence, Restored
from sensos_auth.registry.restoring_in_place import restore_in_place
from sensos_auth.registry.transactions import unix_milliseconds
from sensos_auth.verifying.kept_document import LARGEST, read_kept

_ON_POSTGRESQL = (
    "this registry is on PostgreSQL, which restores its own backups: end every node, go back to a point in time with "
    "pg_basebackup and the archive of the WAL, or by your provider's recovery; then run sensos-auth restore --in-place "
    "--journal with the audit export, which takes away again what was taken away since"
)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_KEPT = "revocations"


@click.command(
    epilog=example(
        "restore backup.sqlite3 --journal audit.jsonl",
        "restore backup.sqlite3 --feed revocations-1f2e3d4c5b6a7988",
        "restore --in-place --journal audit.jsonl",
    )
)
@click.argument("file", type=_FILE, required=False)
@click.option("--in-place", is_flag=True, help="On PostgreSQL, once that has restored its own backup: without FILE.")
@click.option(
    "--journal",
    "journals",
    type=_FILE,
    multiple=True,
    metavar="EXPORT",
    help="An audit export that goes on after the backup. Repeat it for several.",
)
@click.option("--feed", type=_FILE, metavar="KEPT", help="The file that a verifier keeps in its state_folder.")
@click.option("--force", is_flag=True, help="There is a registry in the place: keep it beside, under a dated name.")
@json_option
def restore(
    *, file: Path | None, in_place: bool, journals: tuple[Path, ...], feed: Path | None, force: bool, as_json: bool
) -> None:
    """Put the backup FILE in the place of the registry that this environment names, while no service runs on it.

    What was disabled, deleted, revoked or rotated away after the backup must not come back. An audit export from then
    (--journal) tells all of it, and it is taken away again. What a verifier kept (--feed) tells of the last day, and
    only of what voids tokens. Unless a journal tells what happened since, issuing is locked, until `issuing unlock`.

    PostgreSQL restores its own backups. Then --in-place takes away again what was taken away since, in the registry
    that is there, once and before the first node is started.
    """
    if in_place and (file is not None or force):
        raise click.UsageError("--in-place takes no FILE and no --force: PostgreSQL has restored its backup already")
    if not in_place and file is None:
        raise click.UsageError("Missing argument 'FILE'.")
    url = database_url(os.environ)
    if is_postgresql(url) and not in_place:
        raise Refused(_ON_POSTGRESQL)
    if in_place and not is_postgresql(url):
        raise Refused("--in-place is for PostgreSQL: name the backup file")
    evidence = Evidence(
        journals=[read_export(path) for path in journals], feed=None if feed is None else _kept_feed(feed)
    )
    if file is None:
        with opened_registry() as registry:
            restored = restore_in_place(registry, evidence, check=_check_master_key)
    else:
        restored = restoring.restore(file, sqlite_file(url), evidence, replace=force, check=_check_master_key)
    print_thing(_members(restored), as_json=as_json)
    for sentence in _advice(restored):
        click.echo(sentence, err=True)


def _check_master_key(registry: Registry) -> None:
    obtain_master_key(registry, os.environ)


def _kept_feed(path: Path) -> RevocationPage:
    with path.open("rb") as opened:
        kept = read_kept(opened.read(LARGEST + 1))
    issuer = token_settings(os.environ).issuer
    if (kept.what, kept.issuer) != (_KEPT, issuer):
        raise InvalidInput(f"{path} is not what a verifier keeps of the revocations of {issuer} (SENSOS_AUTH_ISSUER)")
    try:
        return msgspec.json.decode(kept.document, type=RevocationPage)
    except msgspec.DecodeError:
        raise InvalidInput(f"{path} is damaged") from None


def _members(restored: Restored) -> Members:
    return {
        "backupMadeAt": iso_time(restored.manifest.made_at),
        "backupVersion": restored.manifest.version,
        "version": restored.version,
        "knownUntil": iso_time(restored.known_until),
        "issuing": "locked" if restored.is_locked else "unlocked",
        "replayedEvents": restored.replayed,
        "takenAwayByFeed": restored.taken,
        "lost": restored.lost,
        "tamperedEvents": restored.tampered,
        "oldRegistry": None if restored.kept is None else str(restored.kept),
    }


def _advice(restored: Restored) -> list[str]:
    now = unix_milliseconds() // 1000
    window = f"{iso_time(restored.known_until)} until now ({in_words(max(0, now - restored.known_until))})"
    said = []
    if restored.is_locked:
        said.append(
            f"Issuing is locked: nobody knows what was taken away from {window}. Take it away again, then run "
            "sensos-auth issuing unlock --confirm-window."
        )
    else:
        said.append(f"The journal ends at {iso_time(restored.known_until)}: what was taken away later is not known.")
    if restored.lost:
        said.append(
            "What was made after the backup is lost, and the tokens of its applications are void: sensos-auth audit "
            "list --actor system:restore names all."
        )
    if restored.tampered:
        said.append("The audit trail of the backup is not what was written: run sensos-auth audit verify.")
    said.append("Start the service, and run sensos-auth doctor.")
    return said
