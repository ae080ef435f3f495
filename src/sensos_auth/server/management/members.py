"""The members of JSON bodies, in both directions: camelCase names, times as UTC ISO 8601 with ``Z``.

In a creation, members that are not known are ignored, as the token endpoint does. In a change they are refused: a
typing error must not look like success.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, overload

from msgspec import UNSET
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic.alias_generators import to_camel

from sensos_auth.model.iso_time import seconds_of
from sensos_auth.model.lifetime import LONGEST_LIFETIME

_LONGEST_NAME = 200

Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=_LONGEST_NAME,
        description="What people call it: printable, not blank. Names may repeat.",
    ),
]


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# In JSON, 5.0 is the same number as 5 (RFC 8259 section 6).
WholeNumber = Annotated[int, BeforeValidator(_whole)]
Lifetime = Annotated[WholeNumber, Field(ge=1, le=LONGEST_LIFETIME)]


class Shown(BaseModel):
    """What is answered."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)


class Asked(BaseModel):
    """What a creation or an action is told."""

    model_config = ConfigDict(
        alias_generator=to_camel, strict=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )


class Patch(BaseModel):
    """A JSON merge patch (RFC 7396): what is absent stays, ``null`` puts back what was there without it."""

    model_config = ConfigDict(
        alias_generator=to_camel, strict=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    def given(self, member: str) -> Any:  # noqa: ANN401 - of the member's type, or UNSET
        """Return the member's value, UNSET where it is absent; ``member`` is its name in Python."""
        return getattr(self, member) if member in self.model_fields_set else UNSET


def absent(description: str | None = None) -> Any:  # noqa: ANN401 - as pydantic's Field
    """Return the default of a patch's member: none, because then nobody looks at it."""
    return Field(default=None, json_schema_extra=_without_default, description=description)


@overload
def utc_time(at: int) -> datetime: ...


@overload
def utc_time(at: None) -> None: ...


def utc_time(at: int | None) -> datetime | None:
    """Return UTC seconds as what is shown of them."""
    return None if at is None else datetime.fromtimestamp(at, UTC)


def _parsed_time(value: object) -> int:
    try:
        return seconds_of(str(value))
    except ValueError:
        raise ValueError("a time is written as 2026-11-25T09:00:00Z (UTC)") from None


# Read from such a text into UTC seconds.
UtcSeconds = Annotated[
    int,
    PlainValidator(_parsed_time),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}),
]


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)
