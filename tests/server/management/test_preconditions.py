"""``If-Match``: no change is made to what its author has not seen."""

from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.running_service import RunningService
from tests.server.management.asking import EVERYTHING, Asker, new_asker

pytestmark = pytest.mark.engines("sqlite", "postgresql")


@pytest.fixture(scope="module")
def operator(service: RunningService) -> Asker:
    """Return an operator."""
    return new_asker(service, EVERYTHING)


@pytest.fixture
def path(service: RunningService) -> str:
    """Return the path of an application that nobody has changed yet."""
    return f"/v1/applications/{service.new_application().application_id}"


def assert_changed_meanwhile(answer: httpx2.Response) -> None:
    """Fail unless this is the 412."""
    assert (answer.status_code, answer.json()["error"]) == (412, "Precondition Failed")
    assert set(answer.json()) == {"error", "message"}


def test_j05_change_is_made_to_what_was_seen(operator: Asker, path: str) -> None:
    """Each answer says in ETag what the next change can be bound to."""
    seen = operator.ask("GET", path).headers["etag"]
    first = operator.ask("PATCH", path, json={"name": "First"}, headers={"If-Match": seen})
    assert (first.status_code, first.json()["name"]) == (200, "First")
    second = operator.ask("PATCH", path, json={"name": "Second"}, headers={"If-Match": first.headers["etag"]})
    assert second.status_code == 200
    assert operator.ask("GET", path).headers["etag"] == second.headers["etag"]
    assert len({seen, first.headers["etag"], second.headers["etag"]}) == 3


def test_j05_change_to_what_somebody_else_has_changed_is_refused(operator: Asker, path: str) -> None:
    """Of every kind, and nothing happens."""
    seen = operator.ask("GET", path).headers["etag"]
    assert operator.ask("PATCH", path, json={"name": "First"}).status_code == 200
    before = operator.ask("GET", path)
    for method, whole, body in (
        ("PATCH", path, {"name": "Second"}),
        ("DELETE", path, None),
        ("POST", f"{path}/disable", None),
        ("POST", f"{path}/enable", None),
        ("POST", f"{path}/void-tokens", None),
    ):
        assert_changed_meanwhile(operator.ask(method, whole, headers={"If-Match": seen}, json=body))
    after = operator.ask("GET", path)
    assert (after.json(), after.headers["etag"]) == (before.json(), before.headers["etag"])


def test_j05_tenants_and_secrets_have_versions_too(service: RunningService, operator: Asker) -> None:
    """A stale one is refused, the present one is good."""
    application = service.new_application()
    for path, body in (
        (f"/v1/tenants/{application.tenant_id}", {"name": "Red Motors"}),
        (f"/v1/secrets/{application.secret_id}", {"label": "plant 4"}),
    ):
        seen = operator.ask("GET", path).headers["etag"]
        assert_changed_meanwhile(operator.ask("PATCH", path, json=body, headers={"If-Match": '"1"'}))
        assert operator.ask("PATCH", path, json=body, headers={"If-Match": seen}).status_code == 200
        assert_changed_meanwhile(operator.ask("PATCH", path, json=body, headers={"If-Match": seen}))


@pytest.mark.parametrize("form", ['"1", {}', "{}", '{} , "x"', "*"])
def test_j05_lists_and_the_star_match(operator: Asker, path: str, form: str) -> None:
    """As RFC 9110 section 13.1.1 has them."""
    seen = operator.ask("GET", path).headers["etag"]
    answer = operator.ask("PATCH", path, json={"name": "Changed"}, headers={"If-Match": form.format(seen)})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("form", ["W/{}", '"1"', '""', '"*"'])
def test_j05_weak_and_other_tags_do_not_match(operator: Asker, path: str, form: str) -> None:
    """The comparison is the strong one."""
    seen = operator.ask("GET", path).headers["etag"]
    assert_changed_meanwhile(operator.ask("PATCH", path, json={"name": "x"}, headers={"If-Match": form.format(seen)}))


@pytest.mark.parametrize("value", ["1764082812345", "x", '"', '"a" "b"', '"a', "*, *", '"a"' + ' , "b"' * 1000])
def test_j05_malformed_precondition_is_no_permission(operator: Asker, path: str, value: str) -> None:
    """400: whoever binds a change to something must not change without it."""
    answer = operator.ask("PATCH", path, json={"name": "Changed"}, headers={"If-Match": value})
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")
    assert "If-Match" in answer.json()["message"]
    assert operator.get(path)["name"] == "Fleet sync"


def test_j05_of_two_administrators_one_wins(operator: Asker, path: str) -> None:
    """Ten who have seen the same, at once: one change is made, nine are told."""
    seen = operator.ask("GET", path).headers["etag"]

    def change(number: int) -> int:
        headers = {"If-Match": seen}
        return operator.ask("PATCH", path, json={"name": f"Changed by {number}"}, headers=headers).status_code

    with ThreadPoolExecutor(10) as administrators:
        statuses = list(administrators.map(change, range(10)))
    assert sorted(statuses) == [200] + [412] * 9
    winner = statuses.index(200)
    assert operator.get(path)["name"] == f"Changed by {winner}"


def test_j05_what_is_not_there_is_404_first(operator: Asker) -> None:
    """Whatever the precondition."""
    path = f"/v1/applications/app_{'a' * 26}"
    assert operator.ask("PATCH", path, json={"name": "x"}, headers={"If-Match": '"1"'}).status_code == 404
