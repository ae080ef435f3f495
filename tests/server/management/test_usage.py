"""``/v1/usage``: whose counts are shown, and how many at once."""

import time
from datetime import UTC, datetime

import pytest

from sensos_auth.registry.usage import MinuteCount, record_counts
from tests.running_service import RunningService
from tests.server.management.asking import ADMINISTRATOR, EVERYTHING, Asker, new_asker

pytestmark = pytest.mark.engines("sqlite", "postgresql")

HOUR = 3600


@pytest.fixture(scope="module")
def began() -> int:
    """Return the beginning of the last whole hour, in UTC seconds."""
    return int(time.time()) // HOUR * HOUR - HOUR


@pytest.fixture(scope="module")
def owner(service: RunningService) -> Asker:
    """Return the administrator of a tenant."""
    return new_asker(service, ADMINISTRATOR)


@pytest.fixture(scope="module")
def counted(service: RunningService, owner: Asker, began: int) -> list[str]:
    """Count for three applications, the last of another tenant, in two minutes each; return their IDs."""
    mine = sorted(service.new_application(tenant_id=owner.tenant_id).application_id for _ in range(2))
    ids = [*mine, service.new_application().application_id]
    minute = began // 60
    with service.registry.observation() as view:
        record_counts(
            view,
            [
                MinuteCount(minute + later, each, secret_id, tokens, refusals)
                for each in ids
                for later in (0, 30)
                for secret_id, tokens, refusals in (("sec_x", 5, 0), ("", 0, 2))
            ],
        )
    return ids


def text(at: int) -> str:
    """Return UTC seconds as the API writes them."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_h14_counts_are_the_tenants_own(owner: Asker, counted: list[str], began: int) -> None:
    """Added up by the hour or the day, or minute by minute."""
    span = {"from": text(began), "until": text(began + HOUR)}
    for per, starts, tokens in (("minute", 2, 5), ("hour", 1, 10), ("day", 1, 10)):
        usage = owner.get("/v1/usage", params={**span, "per": per})["usage"]
        of_mine = [each for each in usage if each["applicationId"] in counted]
        assert {each["applicationId"] for each in of_mine} == set(counted[:2])
        assert {each["tenantId"] for each in usage} == {owner.tenant_id}
        assert [each["tokens"] for each in of_mine] == [tokens] * 2 * starts
        assert sum(each["refusals"] for each in of_mine) == 8


def test_h14_operators_see_all(service: RunningService, counted: list[str], began: int) -> None:
    """Or one tenant's."""
    operator = new_asker(service, EVERYTHING)
    span = {"from": text(began), "until": text(began + HOUR), "per": "hour", "limit": "100"}
    assert {each["applicationId"] for each in operator.get("/v1/usage", params=span)["usage"]} >= set(counted)


def test_usage_is_paged(owner: Asker, counted: list[str], began: int) -> None:
    """By time and application, each once."""
    span = {"from": text(began), "until": text(began + HOUR), "per": "minute", "limit": "1"}
    seen: list[tuple[str, str]] = []
    cursor: dict[str, str] = {}
    while True:
        page = owner.get("/v1/usage", params=span | cursor)
        seen += [(each["startsAt"], each["applicationId"]) for each in page["usage"]]
        if page["metadata"]["nextCursor"] is None:
            break
        cursor = {"cursor": page["metadata"]["nextCursor"]}
    wanted = [(text(at), each) for at in (began, began + 1800) for each in counted[:2]]
    assert [each for each in seen if each[1] in counted] == wanted
    assert len(set(seen)) == len(seen)


def test_h14_application_of_another_tenant_is_not_there(owner: Asker, counted: list[str]) -> None:
    """As one that never was."""
    answers = [
        owner.ask("GET", f"/v1/usage?applicationId={each}") for each in (counted[2], f"app_{'a' * 26}", "nonsense")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert owner.get(f"/v1/usage?applicationId={counted[0]}")["usage"]


def test_h06_long_spans_are_for_one_application(owner: Asker, counted: list[str], began: int) -> None:
    """A tenant's counts are looked for among everybody's: a month of them would keep all others waiting."""
    for query in (
        {"from": text(began - 35 * 86_400)},
        {"from": "0001-01-01T00:00:00Z"},
        {"from": text(began), "until": "9999-12-31T23:59:59Z"},
    ):
        refused = owner.ask("GET", "/v1/usage", params=query)
        assert (refused.status_code, refused.json()["error"]) == (400, "Bad Request")
        assert "applicationId" in refused.json()["message"]
        named = {**query, "applicationId": counted[0], "per": "day"}
        assert sum(each["tokens"] for each in owner.get("/v1/usage", params=named)["usage"]) == 10
    assert owner.ask("GET", "/v1/usage", params={"from": text(began), "until": text(began - 1)}).status_code == 200
