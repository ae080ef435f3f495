"""Collections, page by page: ``--cursor`` and ``--limit``, as the API has them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from sensos_auth.cli.parameters import IDENTIFIER

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Thing = TypeVar("_Thing")

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


def cut_page(
    things: Sequence[_Thing], limit: int, identify: Callable[[_Thing], str]
) -> tuple[list[_Thing], str | None]:
    """Return the first ``limit`` things and the cursor of the next page, if any of ``things`` is left for it."""
    page = list(things[:limit])
    return page, identify(page[-1]) if len(things) > limit else None
