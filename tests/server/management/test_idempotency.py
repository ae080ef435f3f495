"""``Idempotency-Key``: what is asked for twice is made once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from sensos_auth.registry.applications import change_application
from sensos_auth.server.management.authority import OPERATOR
from tests.running_service import RunningService
from tests.server.management.asking import ADMINISTRATOR, EVERYTHING, Asker, new_asker, new_tenant

pytestmark = pytest.mark.engines("sqlite", "postgresql")


@pytest.fixture
def owner(service: RunningService) -> Asker:
    """Return the administrator of a tenant with nothing but his own application."""
    return new_asker(service, ADMINISTRATOR)


def total(caller: Asker) -> int:
    """Return how many applications the caller's tenant has."""
    count: int = caller.get("/v1/applications?includeTotal=true&limit=1")["metadata"]["total"]
    return count


BODY = {"name": "Fleet sync", "lifetime": 60}
KEY = {"Idempotency-Key": '"7c4a8d09-ca37-62af-61e5-9520943dc264"'}


def test_j06_repeated_creation_is_answered_again(owner: Asker) -> None:
    """To the byte, secret and all: the client that lost the first answer loses nothing."""
    first, second = (owner.ask("POST", "/v1/applications", json=BODY, headers=KEY) for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert first.json()["applicationSecret"].startswith("sensos_sk_")
    for name in ("etag", "location", "cache-control", "content-type"):
        assert first.headers[name] == second.headers[name]
    assert total(owner) == 2


def test_j06_without_a_key_it_is_made_twice(owner: Asker) -> None:
    """And with two keys."""
    ids = {owner.make("/v1/applications", BODY)["applicationId"] for _ in range(2)}
    ids |= {owner.make("/v1/applications", BODY, key)["applicationId"] for key in ("a", "b")}
    assert len(ids) == 4


def test_j06_body_may_be_spelled_differently(owner: Asker) -> None:
    """The same members count, not the bytes; quotation marks around the key neither."""
    path = "/v1/applications"
    json_type = {"Content-Type": "application/json"}
    first = owner.ask("POST", path, content=b'{"name":"A","scope":""}', headers={"Idempotency-Key": "k"} | json_type)
    second = owner.ask(
        "POST", path, content=b'{ "scope": "", "name": "\\u0041" }', headers={"Idempotency-Key": '"k"'} | json_type
    )
    assert (first.status_code, first.content) == (201, second.content)


@pytest.mark.parametrize("change", [{"name": "Other"}, {"lifetime": 61}, {"scope": "auth:audit:read"}, {"more": 1}])
def test_j06_key_of_another_request_is_refused(owner: Asker, change: dict[str, object]) -> None:
    """422, and nothing is made."""
    assert owner.ask("POST", "/v1/applications", json=BODY, headers=KEY).status_code == 201
    answer = owner.ask("POST", "/v1/applications", json=BODY | change, headers=KEY)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "message"}
    assert total(owner) == 2
    secrets = f"/v1/applications/{owner.application.application_id}/secrets"
    assert owner.ask("POST", secrets, json={}, headers=KEY).status_code == 422


def test_j06_key_of_another_caller_shows_nothing(service: RunningService, owner: Asker) -> None:
    """Not even of the same tenant: a secret that was shown to one is not shown to another."""
    first = owner.ask("POST", "/v1/applications", json=BODY, headers=KEY)
    for other in (new_asker(service, ADMINISTRATOR, tenant_id=owner.tenant_id), new_asker(service, EVERYTHING)):
        theirs = other.ask("POST", "/v1/applications", json=BODY, headers=KEY)
        assert theirs.status_code == 201
        assert theirs.json()["applicationId"] != first.json()["applicationId"]
        assert theirs.json()["applicationSecret"] != first.json()["applicationSecret"]


def test_j06_answer_is_not_shown_again_to_who_may_less_by_now(service: RunningService) -> None:
    """Whoever was an operator when he made it and is none any more gets no secret of another tenant's application."""
    operator = new_asker(service, EVERYTHING)
    body = BODY | {"tenantId": new_tenant(service)}
    assert operator.ask("POST", "/v1/applications", json=body, headers=KEY).status_code == 201
    with service.registry.change("test") as change:
        change_application(change, operator.application.application_id, scope=ADMINISTRATOR)
    lesser = Asker(service, operator.application, service.token(operator.application))
    answer = lesser.ask("POST", "/v1/applications", json=body, headers=KEY)
    assert (answer.status_code, answer.json()["error"]) == (403, "Forbidden")
    assert OPERATOR in answer.headers["www-authenticate"]
    assert operator.ask("POST", "/v1/applications", json=body, headers=KEY).status_code == 201


def test_j06_refused_creation_can_be_tried_again(owner: Asker) -> None:
    """With the same key and a better body: nothing was made, so there is nothing to answer again."""
    refused = owner.ask("POST", "/v1/applications", json={"name": ""}, headers=KEY)
    forbidden = owner.ask("POST", "/v1/applications", json={"name": "x", "scope": "never:held"}, headers=KEY)
    assert (refused.status_code, forbidden.status_code) == (400, 403)
    assert owner.ask("POST", "/v1/applications", json=BODY, headers=KEY).status_code == 201


def test_j06_retries_at_once_make_one(owner: Asker) -> None:
    """Ten at the same moment all hear of the same application."""

    def make(_: int) -> tuple[int, bytes]:
        answer = owner.ask("POST", "/v1/applications", json=BODY, headers=KEY)
        return answer.status_code, answer.content

    with ThreadPoolExecutor(10) as clients:
        answers = set(clients.map(make, range(10)))
    assert len(answers) == 1
    assert {status for status, _ in answers} == {201}
    assert total(owner) == 2


def test_j06_secrets_and_rotations_can_be_repeated(owner: Asker) -> None:
    """Whatever shows a secret once."""
    path = f"/v1/applications/{owner.make('/v1/applications', BODY)['applicationId']}/secrets"
    for number, whole in enumerate((path, f"{path}/rotate")):
        first, second = (owner.make(whole, {"label": "plant 4"}, f"key-{number}") for _ in range(2))
        assert first == second
    assert len(owner.get(path)["secrets"]) == 3


@pytest.mark.engines("sqlite")
def test_j06_answer_is_not_there_in_the_clear(service: RunningService, owner: Asker) -> None:
    """I12: who has the database has no secret, nor a key that it was made with."""
    shown = owner.ask("POST", "/v1/applications", json=BODY, headers=KEY).json()["applicationSecret"]
    service.registry.database.connection.execute("PRAGMA wal_checkpoint").fetchall()  # type: ignore[attr-defined]
    for file in service.data_folder.glob("registry.sqlite3*"):
        stored = file.read_bytes()
        assert shown.encode() not in stored
        assert b"7c4a8d09-ca37" not in stored
    assert shown.encode() not in service.log_bytes()


@pytest.mark.parametrize("value", ["", '""', "x" * 256, '"a', 'a"b', "a b", "é", '"a","b"', '"a\\"'])
def test_j06_malformed_key_is_refused(owner: Asker, value: str) -> None:
    """Whoever sends one relies on it."""
    answer = owner.ask("POST", "/v1/applications", json=BODY, headers={"Idempotency-Key": value.encode("latin-1")})  # type: ignore[dict-item]
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["message"]
    assert total(owner) == 1
