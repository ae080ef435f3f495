"""``sensos-auth issuing``: the lock that a restored backup starts with, when nobody knows what happened since."""

import click

from sensos_auth.cli.failing import Refused
from sensos_auth.cli.opening import actor, opened_registry
from sensos_auth.cli.parameters import example, json_option
from sensos_auth.cli.printing import Members, in_words, iso_time, print_thing
from sensos_auth.registry.issuing_lock import UnknownWindow, unknown_window, unlock_issuing


@click.group(epilog=example("issuing unlock", "issuing unlock --confirm-window"))
def issuing() -> None:
    """Issuing: the lock that a restored backup starts with."""


@issuing.command(epilog=example("issuing unlock", "issuing unlock --confirm-window"))
@click.option("--confirm-window", is_flag=True, help="What was taken away in that time has been taken away again.")
@json_option
def unlock(*, confirm_window: bool, as_json: bool) -> None:
    """Say which time nobody knows about, and with --confirm-window issue tokens again.

    What was disabled, deleted, revoked or rotated away in that time is as it was in the backup: take it away again
    first. `keys revoke` voids every token that a key of the backup has signed, those of applications that were made
    in that time among them.
    """
    with opened_registry() as registry:
        if confirm_window:
            with registry.change(actor()) as change:
                window: UnknownWindow | None = unlock_issuing(change)
        else:
            with registry.view() as view:
                window = unknown_window(view)
    if window is None:
        raise Refused("issuing is not locked")
    print_thing(_members(window, is_locked=not confirm_window), as_json=as_json)
    if not confirm_window:
        click.echo(
            "\nIssuing is locked. Take away again what was taken away in that time, then add --confirm-window.",
            err=True,
        )
        click.get_current_context().exit(1)


def _members(window: UnknownWindow, *, is_locked: bool) -> Members:
    return {
        "state": "locked" if is_locked else "unlocked",
        "unknownSince": iso_time(window.since),
        "unknownUntil": iso_time(window.until),
        "length": in_words(window.until - window.since),
    }
