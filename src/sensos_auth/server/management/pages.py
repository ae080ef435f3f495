"""Collections, page by page: ``?cursor=``, ``?limit=``, ``?includeTotal=true``.

A cursor is the place of the last one that was shown, in an order that never changes: that of creation. What is added or
deleted meanwhile neither hides nor repeats anything. A place is no secret and opens nothing: each collection looks
whether the caller may know of it, and then what lies behind is looked for within his reach.
"""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from sensos_auth.model.errors import InvalidInput
from sensos_auth.server.management.members import Shown

LARGEST_PAGE = 100
DEFAULT_PAGE = 50
_MOST_DIGITS = 9

# What is looked for in the registry: printable, because an engine need not take a zero byte.
Sought = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[ -~]+$")]


def _whole_number(value: object) -> object:
    if isinstance(value, str) and not (value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS):
        raise ValueError("this is not a whole number")
    return value


PageLimit = Annotated[
    int,
    BeforeValidator(_whole_number),
    Field(ge=1, le=LARGEST_PAGE, description="How many to answer at most."),
]


class PageQuery(BaseModel):
    """Which page. Any other parameter is refused: a mistyped filter would show everything."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="forbid")

    cursor: Sought | None = Field(None, description="Go on after this: the `nextCursor` of the page before.")
    limit: PageLimit = DEFAULT_PAGE


class CountedPageQuery(PageQuery):
    """Which page, of a collection that can be counted."""

    include_total: bool = Field(
        default=False, description="Whether `metadata` tells in `total` how many there are altogether."
    )


class PageMetadata(Shown):
    """Where the next page is."""

    next_cursor: str | None = Field(description="The `cursor` of the next page; `null` on the last one.")


class CountedPageMetadata(PageMetadata):
    """Where the next page is, and how many there are."""

    total: Annotated[int | None, WithJsonSchema({"type": "integer"})] = Field(
        default=None, exclude_if=lambda total: total is None, description="Only with `includeTotal=true`."
    )


def bad_cursor() -> InvalidInput:
    """Return what to raise for a cursor that is none of this collection and this caller."""
    return InvalidInput("cursor is no nextCursor of this collection: leave it out to begin at the first page")
