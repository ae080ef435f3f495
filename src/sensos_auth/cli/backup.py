"""``sensos-auth backup``: a copy of the registry that can be restored, made while the service runs."""

import os
from pathlib import Path

import click

from sensos_auth.cli.failing import Refused
from sensos_auth.cli.parameters import example, json_option
from sensos_auth.cli.printing import Members, iso_time, print_thing
from sensos_auth.cli.progress import Progress
from sensos_auth.registry.backup import Backup, back_up
from sensos_auth.registry.location import database_url
from sensos_auth.registry.opening import is_postgresql, sqlite_file

_ON_POSTGRESQL = (
    "this registry is on PostgreSQL, which has its own backups: take them with pg_basebackup and an archive of the "
    "WAL, which loses nothing, or by your provider's point-in-time recovery; and keep a sensos-auth audit export "
    "beside them, as the journal for sensos-auth restore --in-place"
)


@click.command(epilog=example("backup /backup/2026-11-25.sqlite3"))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace the file if it exists, once the new one is complete.")
@json_option
def backup(*, file: Path, force: bool, as_json: bool) -> None:
    """Copy the registry into FILE (0600), whole and consistent, while the service runs on it.

    All that is needed to start again is in it, but the master key, which encrypts the private keys in it: keep a copy
    of that in another place. Keep an `audit export` beside the backups: `restore` takes away again what was taken away
    since.
    """
    url = database_url(os.environ)
    if is_postgresql(url):
        raise Refused(_ON_POSTGRESQL)
    source = sqlite_file(url)
    if not source.exists():
        raise Refused(f"there is no registry at {source}")
    shown = Progress("pages", 0)
    made = back_up(source, file, replace=force, progress=shown.of)
    shown.end()
    print_thing(_members(made), as_json=as_json)
    click.echo("The master key is not in it, and nothing works without: keep a copy of it in another place.", err=True)


def _members(made: Backup) -> Members:
    head = made.manifest.head
    return {
        "file": str(made.path),
        "madeAt": iso_time(made.manifest.made_at),
        "version": made.manifest.version,
        "auditHead": None if head is None else head.hex(),
        "bytes": made.size,
        "sha256": made.sha256.hex(),
    }
