"""``/v1/usage``: tokens and refusals, by application and time; and who gets a token for each request."""

import re
from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from sensos_auth.model.errors import InvalidInput, NotFound
from sensos_auth.registry.applications import whose_application
from sensos_auth.registry.pages import cut_page
from sensos_auth.registry.uncached_tokens import applications_that_cache_no_token
from sensos_auth.registry.usage import Period, Usage, usage_of
from sensos_auth.server.management.carrying_out import Reading
from sensos_auth.server.management.members import Shown, UtcSeconds, utc_time
from sensos_auth.server.management.operations import Operations
from sensos_auth.server.management.pages import (
    DEFAULT_PAGE,
    PageLimit,
    PageMetadata,
    PageQuery,
    Sought,
    bad_cursor,
)
from sensos_auth.server.management.reach import chosen_history
from sensos_auth.server.management.replies import Reply

# Seconds. The counts of all applications stand together, minute by minute: a tenant's are looked for among everybody's.
_LONGEST_SPAN = 24 * 3600
_DEFAULT_SPAN = _LONGEST_SPAN
_CURSOR = re.compile(r"([0-9]{1,12})\.([a-z0-9_]{0,64})")
_EXAMPLE = {
    "applicationId": "app_mfrggzdfmztwq2lknnwg23tpoa",
    "tenantId": "ten_ga2tqnbygu3tmobzha4tsojqgy",
    "startsAt": "2026-11-25T09:00:00Z",
    "tokens": 2,
    "refusals": 0,
}
_UNCACHED_EXAMPLE = {
    "applicationId": "app_mfrggzdfmztwq2lknnwg23tpoa",
    "tenantId": "ten_ga2tqnbygu3tmobzha4tsojqgy",
    "tokens": 3600,
    "needed": 1,
    "lifetime": 36_000,
    "advice": "3 600 tokens in the last hour; one lasts 10 h: cache it",
}

operations = Operations("Usage")


class UsageShown(Shown):
    """Tokens and refusals of an application in the minute, hour or day (UTC) that began then."""

    application_id: str | None = Field(description="`null` for refusals that named no application of this service.")
    tenant_id: str | None
    starts_at: datetime
    tokens: int
    refusals: int


class UsagePage(Shown):
    """A page of counts, by time and application."""

    metadata: PageMetadata
    usage: list[UsageShown]


class UsageQuery(PageQuery):
    """Which counts."""

    tenant_id: Sought | None = Field(None, description="Only this tenant's applications.")
    application_id: Sought | None = Field(None, description="Only this application.")
    per: Period = Field("hour", description="What they are added up to.")
    since: UtcSeconds | None = Field(None, alias="from", description="From this time on; by default a day before.")
    until: UtcSeconds | None = Field(None, description="Before this time; by default now.")


class UncachedTokensShown(Shown):
    """An application that gets a token for each request, where it could keep one."""

    application_id: str
    tenant_id: str
    tokens: int = Field(description="How many it got in the last hour.")
    needed: int = Field(description="How many a process needs that keeps its own.")
    lifetime: int = Field(description="For how many seconds each is valid.")
    advice: str = Field(description="For people.")


class UncachedTokensPage(Shown):
    """The costliest applications first."""

    metadata: PageMetadata
    uncached_tokens: list[UncachedTokensShown]


class UncachedTokensQuery(BaseModel):
    """Which applications, and how many."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="forbid")

    tenant_id: Sought | None = Field(None, description="Only this tenant's applications.")
    limit: PageLimit = DEFAULT_PAGE


@operations.reads(
    "/v1/usage",
    scope="auth:usage:read",
    summary="Read usage",
    shown=UsagePage,
    example={"metadata": {"nextCursor": None}, "usage": [_EXAMPLE]},
)
def list_usage(call: Reading, page: Annotated[UsageQuery, Query()]) -> Reply:
    """How many tokens each application got, and how many requests that named it were refused.

    Counts are written down once a minute, and kept for 35 days. For more than 24 hours of them, name an application.
    """
    tenant_id = chosen_history(call.view, call.authority, page.tenant_id)
    if page.application_id is not None:
        whose = whose_application(call.view, page.application_id)
        if whose is None or not call.authority.reaches(whose):
            raise NotFound("out of reach")
    until = call.view.now + 1 if page.until is None else page.until
    since = until - _DEFAULT_SPAN if page.since is None else page.since
    if page.application_id is None and until - since > _LONGEST_SPAN + 60:
        raise InvalidInput("from and until are at most 24 hours apart, unless applicationId names an application")
    found = usage_of(
        call.view,
        from_minute=since // 60,
        until_minute=-(-until // 60),
        per=page.per,
        tenant_id=tenant_id,
        application_id=page.application_id,
        after=_place(page.cursor),
        limit=page.limit + 1,
    )
    shown, next_cursor = cut_page(found, page.limit, lambda usage: f"{usage.starts_at}.{usage.application_id}")
    return Reply(UsagePage(metadata=PageMetadata(next_cursor=next_cursor), usage=[_shown(usage) for usage in shown]))


@operations.reads(
    "/v1/usage/uncached-tokens",
    scope="auth:usage:read",
    summary="Find applications that get a token per request",
    shown=UncachedTokensPage,
    example={"metadata": {"nextCursor": None}, "uncachedTokens": [_UNCACHED_EXAMPLE]},
)
def list_uncached_tokens(call: Reading, page: Annotated[UncachedTokensQuery, Query()]) -> Reply:
    """Those that got more tokens in the last hour than 20 processes need that keep theirs, the costliest first."""
    found = applications_that_cache_no_token(
        call.view,
        lifetime=call.deployment.tokens.lifetime,
        tenant_id=chosen_history(call.view, call.authority, page.tenant_id),
        limit=page.limit,
    )
    shown = [
        UncachedTokensShown(
            application_id=each.application_id,
            tenant_id=each.tenant_id,
            tokens=each.tokens,
            needed=each.needed,
            lifetime=each.lifetime,
            advice=each.says,
        )
        for each in found
    ]
    return Reply(UncachedTokensPage(metadata=PageMetadata(next_cursor=None), uncached_tokens=shown))


def _place(cursor: str | None) -> tuple[int, str] | None:
    if cursor is None:
        return None
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise bad_cursor()
    return int(match[1]), match[2]


def _shown(usage: Usage) -> UsageShown:
    return UsageShown(
        application_id=usage.application_id or None,
        tenant_id=usage.tenant_id,
        starts_at=utc_time(usage.starts_at),
        tokens=usage.tokens,
        refusals=usage.refusals,
    )
