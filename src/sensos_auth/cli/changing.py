"""What ``change`` commands have in common: an option for each member, and a flag that puts it back."""

from typing import TypeVar

import click
from msgspec import UNSET, UnsetType

_Value = TypeVar("_Value")


def chosen(option: str, value: _Value | None, reset_flag: str, *, reset: bool) -> _Value | UnsetType | None:
    """Return the value that was given, ``None`` to put it back, UNSET to leave it; raises UsageError for both."""
    if value is not None and reset:
        raise click.UsageError(f"{option} and {reset_flag} exclude each other")
    return value if value is not None else None if reset else UNSET


def need_a_change(*values: object) -> None:
    """Raise UsageError when all are UNSET."""
    if all(value is UNSET for value in values):
        raise click.UsageError("there is nothing to change: say what, see --help")
