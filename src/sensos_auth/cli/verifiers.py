"""``sensos-auth verifiers``: who follows the revocation feed and says so."""

from collections.abc import Set as AbstractSet

import click

from sensos_auth.cli.opening import registry_view
from sensos_auth.cli.paging import page_options
from sensos_auth.cli.parameters import example, json_option
from sensos_auth.cli.printing import Members, from_now, iso_time, print_json, print_page
from sensos_auth.model.errors import InvalidInput
from sensos_auth.registry.pages import cut_page
from sensos_auth.registry.revocations import revocations_version
from sensos_auth.registry.transactions import unix_milliseconds
from sensos_auth.registry.verifiers import VerifierReport, list_verifiers, live_verifiers


@click.group(epilog=example("verifiers list"))
def verifiers() -> None:
    """Verifiers: the API services that follow the revocation feed."""


@verifiers.command("list", epilog=example("verifiers list", "verifiers list --json"))
@page_options
@json_option
def list_command(*, cursor: str | None, limit: int, as_json: bool) -> None:
    """Print the verifiers that report to the feed with a token of the scope auth:verifier.

    A verifier has confirmed when it holds every revocation of this registry; one that has not is behind. It is live
    while it polls, and for some seconds after; for an hour after that it is still listed.
    """
    application_id, separator, name = (cursor or "/").partition("/")
    if not separator:
        raise InvalidInput("the cursor of this list is an application ID and a name, with a / between them")
    with registry_view() as view:
        found = list_verifiers(view, after=(application_id, name), limit=limit + 1)
        live = {_place(report) for report in live_verifiers(view, unix_milliseconds())}
        newest, now = revocations_version(view), view.now
    page, next_cursor = cut_page(found, limit, _place)
    if as_json:
        rows = [{**_members(report, newest, live), "keys": list(report.kids)} for report in page]
        print_json({"metadata": {"nextCursor": next_cursor}, "verifiers": rows})
        return
    shown = [
        {
            **_members(report, newest, live),
            "live": "yes" if _place(report) in live else "no",
            "keys": len(report.kids),
            "lastSeenAt": from_now(report.seen_at // 1000, now),
        }
        for report in page
    ]
    columns = ("name", "applicationId", "state", "live", "version", "keys", "lastSeenAt")
    print_page("verifiers", shown, next_cursor, as_json=False, columns=columns)


def _place(report: VerifierReport) -> str:
    return f"{report.application_id}/{report.name}"


def _members(report: VerifierReport, newest: int, live: AbstractSet[str]) -> Members:
    return {
        "name": report.name,
        "applicationId": report.application_id,
        "tenantId": report.tenant_id,
        "state": "confirmed" if report.version >= newest else "behind",
        "live": _place(report) in live,
        "version": report.version,
        "lastSeenAt": iso_time(report.seen_at // 1000),
    }
