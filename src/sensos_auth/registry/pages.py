"""Collections, page by page: who reads one thing more than a page holds knows whether there is another page."""

from collections.abc import Callable, Sequence
from typing import TypeVar

_Thing = TypeVar("_Thing")


def cut_page(things: Sequence[_Thing], limit: int, place: Callable[[_Thing], str]) -> tuple[list[_Thing], str | None]:
    """Return the first ``limit`` things and the cursor of the next page, if any of ``things`` is left for it."""
    page = list(things[:limit])
    return page, place(page[-1]) if len(things) > limit else None
