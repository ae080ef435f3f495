"""``sensos-auth audit``: who did what to whom, and the proof that nobody has changed it since."""

import json
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import click

from sensos_auth.cli.opening import opened_registry, registry_view
from sensos_auth.cli.paging import page_options
from sensos_auth.cli.parameters import IDENTIFIER, TIME, example, json_option, utc_seconds
from sensos_auth.cli.printing import iso_time, print_json, print_page
from sensos_auth.cli.progress import Progress
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry import Registry
from sensos_auth.registry.audit import AuditEvent, AuditFilter, events_page
from sensos_auth.registry.audit_diagnosis import TrailFinding
from sensos_auth.registry.audit_export import export_line, read_export
from sensos_auth.registry.audit_export_file import ExportFile
from sensos_auth.registry.audit_verification import TrailReport, compare_with_export, holds_head, verify_trail
from sensos_auth.registry.pages import cut_page

_PAGE = 10_000
_LOOKS_EVERY = 1.0  # seconds
_SHOWN = 20
_DIGEST_LENGTH = 32

Place = tuple[int, int]


class _Head(click.ParamType[bytes]):
    name = "hash"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        try:
            head = bytes.fromhex(value)
        except ValueError:
            head = b""
        if len(head) != _DIGEST_LENGTH:
            self.fail("a head is 64 hexadecimal digits, as audit verify prints it", param, ctx)
        return head


class _Cursor(click.ParamType[Place]):
    name = "cursor"

    def convert(self, value: str | Place, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        if isinstance(value, tuple):
            return value
        version, _, position = value.partition(".")
        if not (version.isdecimal() and position.isdecimal() and len(value) <= 2 * len(str(1 << 63))):
            self.fail("this is no nextCursor of audit list", param, ctx)
        return int(version), int(position)


@click.group(epilog=example("audit list --tenant ten_… --since 2026-11-01", "audit verify"))
def audit() -> None:
    """The audit trail: every change, who made it, and the proof that nobody has altered it since."""


@audit.command("list", epilog=example("audit list --action secret.revoked", "audit list --since 2026-11-01 --json"))
@click.option("--tenant", "tenant_id", type=IDENTIFIER, metavar="ID", help="Only events about this tenant.")
@click.option("--actor", type=IDENTIFIER, help="Only what this one did, such as cli:root or application:app_….")
@click.option("--action", type=IDENTIFIER, help="Only this, such as secret.revoked, or secret for all about secrets.")
@click.option("--since", type=TIME, metavar="TIME", help="Not before this: 2026-11-25 or 2026-11-25T09:00:00Z (UTC).")
@click.option("--until", type=TIME, metavar="TIME", help="Before this.")
@page_options
@json_option
def list_command(
    *,
    tenant_id: str | None,
    actor: str | None,
    action: str | None,
    since: datetime | None,
    until: datetime | None,
    cursor: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Print the events, in the order in which they happened."""
    wanted = AuditFilter(
        tenant_id=tenant_id,
        actor=actor,
        action=action,
        since=None if since is None else utc_seconds(since),
        until=None if until is None else utc_seconds(until),
    )
    after = None if cursor is None else _Cursor().convert(cursor, None, click.get_current_context())
    with registry_view() as view:
        found = events_page(view, wanted, after=after, limit=limit + 1)
    page, next_cursor = cut_page(found, limit, lambda event: f"{event.version}.{event.position}")
    if as_json:
        documents = [json.loads(export_line(event)) for event in page]
        print_json({"metadata": {"nextCursor": next_cursor}, "auditEvents": documents})
        return
    rows = [
        {
            "at": iso_time(event.at),
            "actor": event.actor,
            "action": event.action,
            "subject": event.subject,
            "details": " ".join(f"{name}={value}" for name, value in event.details.items()),
        }
        for event in page
    ]
    print_page("events", rows, next_cursor, as_json=False, columns=("at", "actor", "action", "subject", "details"))


@audit.command(epilog=example("audit export > audit.jsonl", "audit export --to /backup/audit.jsonl --follow"))
@click.option("--after", type=click.IntRange(0), metavar="VERSION", help="Only what came after this registry version.")
@click.option(
    "--to",
    "to_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append to this file (0600) what came since its last line, and sync it.  [default: all, to stdout]",
)
@click.option("--follow", is_flag=True, help="Go on, with each event within a second, until it is ended.")
def export(*, after: int | None, to_file: Path | None, follow: bool) -> None:
    """Write the trail as JSON lines, each event with its version, position and hash.

    Kept where who owns the registry cannot write, it proves later what was in the trail (audit verify --against). Kept
    beside the backups, it is their journal: `restore` takes away again what was taken away since the backup.
    """
    if to_file is not None and after is not None:
        raise click.UsageError("--after and --to exclude each other: the file says what it has")
    with ExitStack() as stack:
        registry = stack.enter_context(opened_registry())
        if to_file is None:
            _export(registry, None if after is None else (after, 1 << 62), follow=follow, write=_to_stdout)
            return
        file = stack.enter_context(ExportFile(to_file))
        with registry.view() as view:
            file.check_origin(view)
        start = None if file.last is None else file.last.event[:2]
        count = _export(registry, start, follow=follow, write=file.append)
        click.echo(f"{count} events were added to {to_file}", err=True)


def _to_stdout(events: Iterable[AuditEvent]) -> int:
    lines = [export_line(event) for event in events]
    click.echo(b"".join(lines), nl=False)
    return len(lines)


def _export(
    registry: Registry, after: Place | None, *, follow: bool, write: Callable[[Iterable[AuditEvent]], int]
) -> int:
    count = 0
    while True:
        page: list[AuditEvent] = []
        try:
            with registry.view() as view:
                page = events_page(view, after=after, limit=_PAGE)
            if page:
                count += write(page)
                after = page[-1].version, page[-1].position
        except RegistryUnavailable as error:
            if not follow:
                raise
            click.echo(f"{error}: trying again", err=True)
            page = []
        if not page and not follow:
            return count
        if len(page) < _PAGE and follow:
            time.sleep(_LOOKS_EVERY)


@audit.command(epilog=example("audit verify", "audit verify --against audit.jsonl"))
@click.option("--head", type=_Head(), metavar="HASH", help="The head that an earlier run printed, kept elsewhere.")
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="EXPORT",
    help="An earlier audit export, kept elsewhere.",
)
@json_option
def verify(*, head: bytes | None, against: Path | None, as_json: bool) -> None:
    """Check that the audit trail is what was written, and say what was done to it and where if it is not.

    Events that were altered, removed, inserted, moved or cut off at the end are found. Who can write to the registry
    could make the whole chain anew: --head and --against find that, back from where they were kept. Exit status 1 if
    anything is wrong. Keep what it prints: the head is the next --head.
    """
    with registry_view() as view:
        total = int(view.statements.count_events(view.connection))
        progress = Progress("events", total)
        report = verify_trail(view, progress)
        place = None if head is None else holds_head(view, head)
        exported: int | None = None
        differences: list[TrailFinding] = []
        if against is not None:
            exported, differences = compare_with_export(view, read_export(against))
        progress.end()
    lost = head is not None and place is None
    _print_report(report, as_json=as_json, lost=lost, exported=exported, differences=differences)
    if report.findings or differences or lost:
        click.get_current_context().exit(1)


def _print_report(
    report: TrailReport, *, as_json: bool, lost: bool, exported: int | None, differences: list[TrailFinding]
) -> None:
    findings = [*report.findings, *differences]
    hexadecimal = None if report.head is None else report.head.hex()
    if as_json:
        print_json(
            {
                "events": report.events,
                "unchained": report.unchained,
                "version": report.version,
                "head": hexadecimal,
                "headFound": not lost,
                "exported": exported,
                "findings": [
                    {
                        "kind": finding.kind,
                        "version": finding.version,
                        "position": finding.position,
                        "message": finding.says,
                    }
                    for finding in findings
                ],
            }
        )
        return
    for finding in findings[:_SHOWN]:
        click.echo(f"{finding.kind}: {finding.says}{_when(finding.version)}")
    if len(findings) > _SHOWN:
        click.echo(f"and {len(findings) - _SHOWN} more: add --json for all of them")
    if lost:
        click.echo("no event has the head that was given: the chain was made anew, or cut off before it")
    if findings or lost:
        return
    click.echo(f"{report.events} events, and each is what was written")
    if report.unchained:
        click.echo(f"{report.unchained} of them are from before there was a chain, which says nothing of them")
    if exported is not None:
        click.echo(f"{exported} of them were exported, and are what they were then")
    click.echo(f"head: {hexadecimal or '-'} at version {report.version}")


def _when(version: object) -> str:
    """Return about when a change of that version happened: versions are milliseconds, while the clock is right."""
    return f" (about {iso_time(version // 1000)})" if isinstance(version, int) and 0 < version < 1 << 47 else ""
