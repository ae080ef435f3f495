"""What commands print: one thing or a page of them, as a table for people or as JSON for programs.

JSON is the API's: camelCase members, collections as ``{"metadata": {"nextCursor": …}, "<entity>": […]}``, times as
UTC ISO 8601 with ``Z``.
"""

import json
from collections.abc import Mapping, Sequence

import click

from sensos_auth.model import iso_time as model_time

Value = str | int | bool | None
Members = Mapping[str, Value]

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    click.echo(json.dumps(document, indent=2))


def print_thing(members: Members, *, as_json: bool) -> None:
    """Print one thing: its members below each other, or as a JSON object."""
    if as_json:
        print_json(members)
        return
    width = max(len(_title(name)) for name in members)
    for name, value in members.items():
        click.echo(f"{_title(name):{width}}  {_cell(value)}")


def print_page(
    entity: str,
    page: Sequence[Members],
    next_cursor: str | None,
    *,
    as_json: bool,
    columns: Sequence[str],
    none: str | None = None,
) -> None:
    """Print a page of a collection: JSON with the cursor of the next page, or a table of these members.

    ``none`` is printed in place of an empty table.
    """
    if as_json:
        print_json({"metadata": {"nextCursor": next_cursor}, entity: page})
        return
    if not page:
        click.echo(none or f"There are no {entity}.")
        return
    click.echo(_table(page, columns))
    if next_cursor is not None:
        click.echo(f"There are more: add --cursor {next_cursor}", err=True)


def iso_time(at: int | None) -> str | None:
    """Return the time, given in UTC seconds, as ISO 8601."""
    return None if at is None else model_time.iso_time(at)


def in_words(seconds: int) -> str:
    """Return a time span as its largest unit, such as ``3 days``."""
    for size, unit in _UNITS:
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}" + ("s" if count > 1 else "")
    return "0 seconds"


def from_now(at: int | None, now: int, never: str = "never") -> str:
    """Return the time with its distance from now (both UTC seconds), such as ``2030-01-01T00:00:00Z (in 3 days)``."""
    if at is None:
        return never
    distance = f"in {in_words(at - now)}" if at > now else f"{in_words(now - at)} ago"
    return f"{iso_time(at)} ({distance})"


def _table(rows: Sequence[Members], columns: Sequence[str]) -> str:
    from tabulate import tabulate  # noqa: PLC0415 - only tables need it, and it takes its time to import

    cells = [[_cell(row[name]) for name in columns] for row in rows]
    return tabulate(cells, headers=[_title(name) for name in columns], tablefmt="plain", disable_numparse=True)


def _title(name: str) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return words.removesuffix(" id") + " ID" if words.endswith(" id") else words


def _cell(value: Value) -> str:
    return "-" if value in {None, ""} else str(value)
