"""The parameters that many commands share, and the example at the end of a command's help."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from sensos_auth.model.application_secret import PREFIX
from sensos_auth.model.lifetime import LONGEST_LIFETIME

_LONGEST_IDENTIFIER = 100
_LONGEST_TOKEN_ID = 64
_Command = TypeVar("_Command", bound=Callable[..., Any])


TIME = click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"])


def utc_seconds(time: datetime) -> int:
    """Return what :data:`TIME` read, in UTC seconds."""
    return int(time.replace(tzinfo=UTC).timestamp())


class Identifier(click.ParamType[str]):
    """An ID or a key ID, as far as its form tells. What is there and what is not, the registry says."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value; fails for what cannot be an ID, without repeating it."""
        if value.startswith(PREFIX):
            self.fail("this is an application secret and belongs to no command line; give the secret's ID", param, ctx)
        if not value or len(value) > _LONGEST_IDENTIFIER or not (value.isascii() and value.isprintable()):
            self.fail("an ID has letters, digits, _ and - only", param, ctx)
        return value


class TokenIdentifier(click.ParamType[str]):
    """A token ID (claim ``jti``), as far as its form tells."""

    name = "jti"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value; fails for what cannot be a token ID, without repeating it."""
        if value.startswith("eyJ") or value.count(".") > 1:
            self.fail("this is an access token and belongs to no command line; pass it on standard input", param, ctx)
        if not 0 < len(value) <= _LONGEST_TOKEN_ID or not all("!" <= character <= "~" for character in value):
            self.fail(f"a token ID has 1 to {_LONGEST_TOKEN_ID} printable characters without spaces", param, ctx)
        return value


IDENTIFIER = Identifier()
TOKEN_ID = TokenIdentifier()


def lifetime_option(default: str = "") -> Callable[[_Command], _Command]:
    """Return the option; ``default`` says whose lifetime a new thing has without it."""
    ending = f"  [default: {default}]" if default else ""
    help_text = f"How long its tokens live, at most {LONGEST_LIFETIME}.{ending}"
    return click.option("--lifetime", type=click.IntRange(1, LONGEST_LIFETIME), metavar="SECONDS", help=help_text)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def example(*lines: str) -> str:
    """Return the end of a command's help: how it is used."""
    return "\n".join(["\b", "Example:", *(f"  sensos-auth {line}" for line in lines)])
