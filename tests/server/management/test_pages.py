"""Collections, page by page, while rows come and go."""

from typing import Any

import pytest

from sensos_auth.registry.applications import delete_application
from tests.running_service import RunningService
from tests.server.management.asking import ADMINISTRATOR, EVERYTHING, Asker, new_asker

pytestmark = pytest.mark.engines("sqlite", "postgresql")


@pytest.fixture
def owner(service: RunningService) -> Asker:
    """Return the administrator of a tenant with nothing but his own application."""
    return new_asker(service, ADMINISTRATOR)


def pages(caller: Asker, path: str, entity: str, *, limit: int) -> list[list[Any]]:
    """Return all pages of the collection."""
    found = []
    cursor: dict[str, str] = {}
    while True:
        page = caller.get(path, params={"limit": str(limit), **cursor})
        found.append(page[entity])
        if page["metadata"]["nextCursor"] is None:
            return found
        cursor = {"cursor": page["metadata"]["nextCursor"]}


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_pages_hold_everything_once_in_order_of_creation(service: RunningService, owner: Asker, count: int) -> None:
    """The last page has no next one, also when it is full."""
    ids = [owner.application.application_id]
    ids += [service.new_application(tenant_id=owner.tenant_id).application_id for _ in range(count)]
    for limit in (1, 2, 5):
        found = pages(owner, "/v1/applications", "applications", limit=limit)
        assert [each["applicationId"] for page in found for each in page] == ids
        assert len(found) == -(-len(ids) // limit)


def test_rows_added_meanwhile_neither_hide_nor_repeat_any(service: RunningService, owner: Asker) -> None:
    """They come at the end."""
    ids = [owner.application.application_id]
    ids += [service.new_application(tenant_id=owner.tenant_id).application_id for _ in range(3)]
    found: list[str] = []
    page = owner.get("/v1/applications?limit=1")
    while True:
        found += [each["applicationId"] for each in page["applications"]]
        if len(found) < 4:
            ids.append(service.new_application(tenant_id=owner.tenant_id).application_id)
        cursor = page["metadata"]["nextCursor"]
        if cursor is None:
            break
        page = owner.get("/v1/applications", params={"limit": "1", "cursor": cursor})
    assert found == ids


def test_row_of_the_cursor_may_be_deleted_meanwhile(service: RunningService, owner: Asker) -> None:
    """The next page is the one that it would have been."""
    others = [service.new_application(tenant_id=owner.tenant_id).application_id for _ in range(3)]
    page = owner.get("/v1/applications?limit=2")
    with service.registry.change("test") as change:
        delete_application(change, others[0])
    after = owner.get("/v1/applications", params={"cursor": page["metadata"]["nextCursor"]})
    assert [each["applicationId"] for each in after["applications"]] == others[1:]


def test_total_is_told_when_it_is_asked_for(service: RunningService, owner: Asker) -> None:
    """And is there only then."""
    for _ in range(2):
        service.new_application(tenant_id=owner.tenant_id)
    assert owner.get("/v1/applications?limit=1&includeTotal=true")["metadata"]["total"] == 3
    for query in ("", "?includeTotal=false"):
        assert "total" not in owner.get(f"/v1/applications{query}")["metadata"]
    secrets = f"/v1/applications/{owner.application.application_id}/secrets"
    assert owner.get(f"{secrets}?includeTotal=true")["metadata"] == {"nextCursor": None, "total": 1}
    assert owner.get("/v1/tenants?includeTotal=true")["metadata"] == {"nextCursor": None, "total": 1}


@pytest.mark.parametrize(
    "limit",
    ["-1", "0", "101", "1000000000", "9" * 400, "all", "1.5", "5.0", "1e1", "+5", " 5", "", "null", "0x10", "\u0661"],
)
def test_j07_limit_is_a_number_from_1_to_100(owner: Asker, limit: str) -> None:
    """Everything else is refused, by its name."""
    answer = owner.ask("GET", "/v1/applications", params={"limit": limit})
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")
    assert answer.json()["message"].startswith("limit")


@pytest.mark.parametrize(
    "query",
    [
        "order=secret_hash",
        "sort=name;drop",
        "tenantid=ten_x",
        "Limit=1",
        "limit=1&limit=2",
        "cursor=",
        "cursor=%00",
        "cursor=%27%20OR%201=1",
        "cursor=" + "x" * 500,
        "includeTotal=maybe",
        "__proto__=1",
    ],
)
def test_j08_parameters_that_there_are_not_are_refused(owner: Asker, query: str) -> None:
    """A filter that is not known would show everything."""
    answer = owner.ask("GET", f"/v1/applications?{query}")
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")


def test_audit_events_are_paged_and_filtered(service: RunningService, owner: Asker) -> None:
    """In the order in which things happened; a change with several events can be cut in two."""
    made = [owner.make("/v1/applications", {"name": f"Fleet {number}"})["applicationId"] for number in range(3)]
    found = [event for page in pages(owner, "/v1/audit-events", "auditEvents", limit=1) for event in page]
    assert found == owner.get("/v1/audit-events?limit=100")["auditEvents"]
    created = owner.get("/v1/audit-events?action=application.created")["auditEvents"]
    assert [event["subject"] for event in created] == [owner.application.application_id, *made]
    assert {
        event["action"].partition(".")[0] for event in owner.get("/v1/audit-events?action=secret")["auditEvents"]
    } == {"secret"}
    assert owner.get("/v1/audit-events?until=2020-01-01T00:00:00Z")["auditEvents"] == []
    assert owner.get("/v1/audit-events?from=2020-01-01T00:00:00Z&limit=100")["auditEvents"] == found
    assert owner.get("/v1/audit-events?from=2040-01-01T00:00:00Z")["auditEvents"] == []
    for query in ("from=yesterday", "until=1", "cursor=1", "cursor=9223372036854775808.0"):
        assert owner.ask("GET", f"/v1/audit-events?{query}").status_code == 400
    assert service.client.get("/readyz").status_code == 200


def test_operators_see_the_tenants_and_signing_keys(service: RunningService) -> None:
    """And the verifiers: collections like all others."""
    operator = new_asker(service, EVERYTHING)
    tenants = [each["tenantId"] for page in pages(operator, "/v1/tenants", "tenants", limit=100) for each in page]
    assert len(tenants) == len(set(tenants))
    assert operator.tenant_id in tenants
    keys = pages(operator, "/v1/signing-keys", "signingKeys", limit=1)
    states = [each["state"] for page in keys for each in page]
    assert states.count("active") == 1
    assert operator.get("/v1/verifiers")["metadata"] == {"nextCursor": None}
