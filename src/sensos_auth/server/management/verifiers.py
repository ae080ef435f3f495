"""``/v1/verifiers``: the API services that follow the revocation feed and say so. For operators."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from sensos_auth.registry.pages import cut_page
from sensos_auth.registry.revocations import revocations_version
from sensos_auth.registry.transactions import unix_milliseconds
from sensos_auth.registry.verifiers import VerifierReport, live_verifiers
from sensos_auth.registry.verifiers import list_verifiers as reports_page
from sensos_auth.server.management.authority import OPERATOR
from sensos_auth.server.management.carrying_out import Reading
from sensos_auth.server.management.members import Shown, utc_time
from sensos_auth.server.management.operations import Operations
from sensos_auth.server.management.pages import PageMetadata, PageQuery, bad_cursor
from sensos_auth.server.management.replies import Reply

_EXAMPLE = {
    "name": "vehicles-api-1",
    "applicationId": "app_mfrggzdfmztwq2lknnwg23tpoa",
    "tenantId": "ten_ga2tqnbygu3tmobzha4tsojqgy",
    "state": "confirmed",
    "live": True,
    "version": 1_795_597_200_000,
    "lastSeenAt": "2026-11-25T09:00:00Z",
    "keys": ["NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"],
}

operations = Operations("Verifiers")


class VerifierShown(Shown):
    """What a verifier said of itself when it polled last."""

    name: str
    application_id: str
    tenant_id: str
    state: Literal["confirmed", "behind"] = Field(description="Whether it holds every revocation.")
    live: bool = Field(description="Whether it is counted on.")
    version: int = Field(description="The registry version that it holds.")
    last_seen_at: datetime
    keys: list[str] = Field(description="The IDs of the signing keys that it holds.")


class VerifierPage(Shown):
    """A page of verifiers, by application and name."""

    metadata: PageMetadata
    verifiers: list[VerifierShown]


@operations.reads(
    "/v1/verifiers",
    scope=f"auth:verifiers:read {OPERATOR}",
    summary="List verifiers",
    shown=VerifierPage,
    example={"metadata": {"nextCursor": None}, "verifiers": [_EXAMPLE]},
)
def list_verifiers(call: Reading, page: Annotated[PageQuery, Query()]) -> Reply:
    """Those that poll the feed with a token of the scope `auth:verifier`. For operators."""
    application_id, separator, name = (page.cursor or "/").partition("/")
    if not separator:
        raise bad_cursor()
    found = reports_page(call.view, after=(application_id, name), limit=page.limit + 1)
    live = {_place(report) for report in live_verifiers(call.view, unix_milliseconds())}
    newest = revocations_version(call.view)
    shown, next_cursor = cut_page(found, page.limit, _place)
    verifiers = [_shown(report, newest, live) for report in shown]
    return Reply(VerifierPage(metadata=PageMetadata(next_cursor=next_cursor), verifiers=verifiers))


def _place(report: VerifierReport) -> str:
    return f"{report.application_id}/{report.name}"


def _shown(report: VerifierReport, newest: int, live: AbstractSet[str]) -> VerifierShown:
    return VerifierShown(
        name=report.name,
        application_id=report.application_id,
        tenant_id=report.tenant_id,
        state="confirmed" if report.version >= newest else "behind",
        live=_place(report) in live,
        version=report.version,
        last_seen_at=utc_time(report.seen_at // 1000),
        keys=list(report.kids),
    )
