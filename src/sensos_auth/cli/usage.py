"""``sensos-auth usage``: how many tokens were issued and refused, and who fetches one for each request."""

import os
from typing import TYPE_CHECKING

import click

from sensos_auth.cli.opening import registry_view
from sensos_auth.cli.paging import page_options
from sensos_auth.cli.parameters import IDENTIFIER, TIME, example, json_option, utc_seconds
from sensos_auth.cli.printing import iso_time, print_page
from sensos_auth.issuing.configuration import token_settings
from sensos_auth.model.errors import InvalidInput
from sensos_auth.registry.pages import cut_page
from sensos_auth.registry.uncached_tokens import PROCESSES, applications_that_cache_no_token
from sensos_auth.registry.usage import Period, Usage, usage_of

if TYPE_CHECKING:
    from datetime import datetime

    from sensos_auth.cli.printing import Members

_SHOWN_BY_DEFAULT = 24 * 3600  # seconds
_DIGITS = 12


@click.command(
    epilog=example("usage", "usage --application app_… --per minute --since 2026-11-25T09:00:00Z", "usage --uncached")
)
@click.option("--application", "application_id", type=IDENTIFIER, metavar="ID", help="Only of this application.")
@click.option("--tenant", "tenant_id", type=IDENTIFIER, metavar="ID", help="Only of this tenant's applications.")
@click.option(
    "--since",
    type=TIME,
    metavar="TIME",
    help="From then on (UTC): 2026-11-25 or 2026-11-25T09:00:00Z.  [default: a day]",
)
@click.option("--per", type=click.Choice(["minute", "hour", "day"]), default="hour", show_default=True, help="In UTC.")
@click.option("--uncached", is_flag=True, help="Only the applications that fetch a token for each request.")
@page_options
@json_option
def usage(
    *,
    application_id: str | None,
    tenant_id: str | None,
    since: "datetime | None",
    per: Period,
    uncached: bool,
    cursor: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Print how many tokens each application got and how many requests that named it were refused.

    Workers write their counts once a minute; they are kept for 35 days. Refusals that named no application of this
    registry have a line without an ID.
    """
    if uncached:
        if application_id or since or cursor:
            raise click.UsageError("--uncached looks at the last hour, and takes --tenant and --limit only")
        _print_uncached(tenant_id, limit, as_json=as_json)
        return
    after = None if cursor is None else _place(cursor)
    with registry_view() as view:
        start = view.now - _SHOWN_BY_DEFAULT if since is None else utc_seconds(since)
        found = usage_of(
            view,
            from_minute=start // 60,
            until_minute=view.now // 60 + 1,
            per=per,
            tenant_id=tenant_id,
            application_id=application_id,
            after=after,
            limit=limit + 1,
        )
    page, next_cursor = cut_page(found, limit, _cursor)
    rows: list[Members] = [
        {
            "startsAt": iso_time(each.starts_at),
            "applicationId": each.application_id or None,
            "tenantId": each.tenant_id,
            "tokens": each.tokens,
            "refusals": each.refusals,
        }
        for each in page
    ]
    columns = ("startsAt", "applicationId", "tokens", "refusals")
    print_page("usage", rows, next_cursor, as_json=as_json, columns=columns, none="Nothing was counted.")


def _print_uncached(tenant_id: str | None, limit: int, *, as_json: bool) -> None:
    """Print who got more tokens in the last hour than 20 processes need that keep theirs, the costliest first."""
    lifetime = token_settings(os.environ).lifetime
    with registry_view() as view:
        found = applications_that_cache_no_token(view, lifetime=lifetime, tenant_id=tenant_id, limit=limit)
    rows: list[Members] = [
        {
            "applicationId": each.application_id,
            "tenantId": each.tenant_id,
            "tokens": each.tokens,
            "needed": each.needed,
            "lifetime": each.lifetime,
            "advice": each.says,
        }
        for each in found
    ]
    none = f"No application got more tokens in the last hour than {PROCESSES} processes need that keep theirs."
    print_page("uncachedTokens", rows, None, as_json=as_json, columns=("applicationId", "advice"), none=none)


def _cursor(each: Usage) -> str:
    return f"{each.starts_at}.{each.application_id}"


def _place(cursor: str) -> tuple[int, str]:
    starts_at, separator, application_id = cursor.partition(".")
    if not separator or not starts_at.isdecimal() or len(starts_at) > _DIGITS:
        raise InvalidInput("this is no nextCursor of usage")
    return int(starts_at), application_id
