"""Collections, page by page: ``--cursor`` and ``--limit``, as the API has them."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from sensos_auth.cli.parameters import IDENTIFIER

_Function = TypeVar("_Function", bound=Callable[..., Any])

_LARGEST_PAGE = 1000


def page_options(function: _Function) -> _Function:
    """Add ``--cursor`` and ``--limit`` to a command."""
    limit = click.option(
        "--limit",
        type=click.IntRange(1, _LARGEST_PAGE),
        default=100,
        show_default=True,
        help="How many to print at most.",
    )
    cursor = click.option("--cursor", type=IDENTIFIER, help="Go on where the page before ended (its nextCursor).")
    return cursor(limit(function))
