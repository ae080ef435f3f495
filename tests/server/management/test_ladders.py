"""Attempts to get, step by step, what the caller was not given."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from sensos_auth.registry.applications import count_applications, disable_application
from sensos_auth.server.management.authority import OPERATOR
from tests.running_service import RunningService
from tests.server.management.asking import ADMINISTRATOR, EVERYTHING, Asker, new_asker, new_tenant

pytestmark = pytest.mark.engines("sqlite", "postgresql")

MIGHTY = "devices:write"


@pytest.fixture(scope="module")
def administrator(service: RunningService) -> Asker:
    """Return a tenant's administrator, who holds no scope of the API itself but devices:read."""
    return new_asker(service, f"{ADMINISTRATOR} devices:read")


@pytest.fixture
def mighty(service: RunningService, administrator: Asker) -> str:
    """Return an application of the same tenant with a scope that the administrator does not hold."""
    return service.new_application(scope=MIGHTY, tenant_id=administrator.tenant_id).application_id


def assert_forbidden(answer: httpx2.Response) -> None:
    """Fail unless the answer is that a scope is missing."""
    assert (answer.status_code, answer.json()["error"]) == (403, "Forbidden"), answer.text
    assert answer.headers["www-authenticate"].startswith('Bearer error="insufficient_scope"')
    assert set(answer.json()) == {"error", "message"}


def test_j02_scopes_are_granted_by_who_holds_them(administrator: Asker) -> None:
    """At creation and afterwards; and nothing is made where one is missing."""
    before = administrator.get("/v1/applications?includeTotal=true")["metadata"]["total"]
    for scope in (MIGHTY, f"devices:read {MIGHTY}", "auth:operator", "devices:rea", "DEVICES:READ", "auth:verifier"):
        assert_forbidden(administrator.ask("POST", "/v1/applications", json={"name": "Ladder", "scope": scope}))
    assert administrator.get("/v1/applications?includeTotal=true")["metadata"]["total"] == before
    made = administrator.make("/v1/applications", {"name": "Fleet sync", "scope": "devices:read auth:audit:read"})
    path = f"/v1/applications/{made['applicationId']}"
    for scope in (MIGHTY, f"devices:read {MIGHTY}", "auth:operator"):
        assert_forbidden(administrator.ask("PATCH", path, json={"scope": scope}))
    assert administrator.get(path)["scope"] == "devices:read auth:audit:read"


def test_j02_operators_grant_only_what_they_hold(service: RunningService) -> None:
    """Where they may act says nothing about what they may give."""
    operator = new_asker(service, EVERYTHING)
    tenant_id = new_tenant(service)
    members = {"name": "Fleet sync", "tenantId": tenant_id}
    assert_forbidden(operator.ask("POST", "/v1/applications", json={**members, "scope": MIGHTY}))
    assert operator.make("/v1/applications", {**members, "scope": "auth:operator"})["tenantId"] == tenant_id


def test_j02_own_scopes_can_not_be_raised(administrator: Asker) -> None:
    """By the application itself, which may manage applications."""
    path = f"/v1/applications/{administrator.application.application_id}"
    assert_forbidden(administrator.ask("PATCH", path, json={"scope": f"{ADMINISTRATOR} devices:read auth:operator"}))


def test_j02_scopes_that_are_there_may_stay_and_be_taken_away(
    service: RunningService, administrator: Asker, mighty: str
) -> None:
    """Without being held: only what is added counts."""
    path = f"/v1/applications/{mighty}"
    answer = administrator.ask("PATCH", path, json={"scope": f"{MIGHTY} devices:read", "name": "Renamed"})
    assert answer.status_code == 200, answer.text
    assert administrator.ask("PATCH", path, json={"scope": ""}).status_code == 200
    assert_forbidden(administrator.ask("PATCH", path, json={"scope": MIGHTY}))
    assert service.client.get("/readyz").status_code == 200


@pytest.mark.parametrize("path", ["secrets", "secrets/rotate"])
def test_j02_no_secret_of_a_mightier_application(administrator: Asker, mighty: str, path: str) -> None:
    """With it, the caller could get a token that may more than his."""
    before = administrator.get(f"/v1/applications/{mighty}/secrets")
    assert_forbidden(administrator.ask("POST", f"/v1/applications/{mighty}/{path}", json={}))
    assert administrator.get(f"/v1/applications/{mighty}/secrets") == before


def test_j02_no_longer_life_for_a_secret_of_a_mightier_application(administrator: Asker, mighty: str) -> None:
    """That is giving as well; an earlier end is taking away."""
    (secret,) = administrator.get(f"/v1/applications/{mighty}/secrets")["secrets"]
    path = f"/v1/secrets/{secret['secretId']}"
    assert administrator.ask("PATCH", path, json={"expiresAt": "2035-01-01T00:00:00Z"}).status_code == 200
    assert administrator.ask("PATCH", path, json={"expiresAt": "2034-01-01T00:00:00Z"}).status_code == 200
    assert_forbidden(administrator.ask("PATCH", path, json={"expiresAt": "2036-01-01T00:00:00Z"}))
    assert_forbidden(administrator.ask("PATCH", path, json={"expiresAt": None}))


def test_j02_mightier_application_is_disabled_by_anyone_and_enabled_by_who_holds_its_scopes(
    service: RunningService, administrator: Asker, mighty: str
) -> None:
    """Taking away needs no such thing, or a leak could not be stopped."""
    path = f"/v1/applications/{mighty}"
    assert administrator.ask("POST", f"{path}/void-tokens").status_code == 200
    assert administrator.ask("POST", f"{path}/disable").status_code == 200
    assert_forbidden(administrator.ask("POST", f"{path}/enable"))
    holder = new_asker(service, f"{ADMINISTRATOR} {MIGHTY}", tenant_id=administrator.tenant_id)
    assert holder.ask("POST", f"{path}/enable").json()["state"] == "enabled"
    (secret,) = administrator.get(f"{path}/secrets")["secrets"]
    revoked = administrator.ask("POST", f"/v1/secrets/{secret['secretId']}/revoke", json={"withTokens": True})
    assert revoked.json()["state"] == "revoked"
    assert administrator.ask("DELETE", path).status_code == 204


@pytest.mark.parametrize("audience", ["sensos-api", "https://other.example.com"])
def test_j02_audience_is_for_operators(administrator: Asker, audience: str) -> None:
    """It could be another tenant's API."""
    body = {"name": "Fleet sync", "audience": audience}
    assert_forbidden(administrator.ask("POST", "/v1/applications", json=body))
    made = administrator.make("/v1/applications", {"name": "Fleet sync"})
    path = f"/v1/applications/{made['applicationId']}"
    assert_forbidden(administrator.ask("PATCH", path, json={"audience": audience}))
    assert administrator.get(path)["audience"] is None


def test_j02_scopes_at_another_api_are_for_operators(service: RunningService, administrator: Asker) -> None:
    """A scope is one of an audience's: who holds devices:read here does not hold that of another API."""
    other = service.new_application(
        scope="a b", audience="https://other.example.com", tenant_id=administrator.tenant_id
    )
    path = f"/v1/applications/{other.application_id}"
    refused = administrator.ask("PATCH", path, json={"scope": "a devices:read"})
    assert_forbidden(refused)
    assert OPERATOR in refused.headers["www-authenticate"]
    assert administrator.ask("PATCH", path, json={"scope": "a"}).json()["scope"] == "a"
    operator = new_asker(service, f"{EVERYTHING} devices:read")
    assert operator.ask("PATCH", path, json={"scope": "a devices:read"}).json()["scope"] == "a devices:read"


def test_j02_scopes_are_moved_to_another_api_by_who_holds_them(service: RunningService) -> None:
    """By an operator, too: what was another API's devices:write becomes this one's."""
    other = service.new_application(scope=MIGHTY, audience="https://other.example.com")
    path = f"/v1/applications/{other.application_id}"
    operator = new_asker(service, EVERYTHING)
    assert_forbidden(operator.ask("PATCH", path, json={"audience": None}))
    holder = new_asker(service, f"{EVERYTHING} {MIGHTY}")
    assert holder.ask("PATCH", path, json={"audience": None}).json()["audience"] is None


def test_h15_lifetime_of_a_tenant_is_for_operators(administrator: Asker) -> None:
    """Its name is its own."""
    path = f"/v1/tenants/{administrator.tenant_id}"
    assert_forbidden(administrator.ask("PATCH", path, json={"lifetime": 86_400}))
    assert administrator.ask("PATCH", path, json={"name": "Red Motors"}).json()["name"] == "Red Motors"


def test_h15_tenant_is_not_ended_or_made_by_its_administrator(administrator: Asker) -> None:
    """Nor another one, which looks the same to him."""
    for tenant_id in (administrator.tenant_id, f"ten_{'a' * 26}"):
        path = f"/v1/tenants/{tenant_id}"
        for method, whole in (("DELETE", path), ("POST", f"{path}/disable"), ("POST", f"{path}/enable")):
            assert_forbidden(administrator.ask(method, whole))
    assert_forbidden(administrator.ask("POST", "/v1/tenants", json={"name": "Own"}))


def test_h02_tenant_in_a_body_is_not_the_callers_choice(service: RunningService, administrator: Asker) -> None:
    """Another tenant's ID is answered as one that does not exist; his own changes nothing."""
    other = new_tenant(service)
    answers = [
        administrator.ask("POST", "/v1/applications", json={"name": "Fleet sync", "tenantId": tenant_id})
        for tenant_id in (other, f"ten_{'a' * 26}", "nonsense")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    own = administrator.make("/v1/applications", {"name": "Fleet sync", "tenantId": administrator.tenant_id})
    assert own["tenantId"] == administrator.tenant_id


def test_h03_tenant_in_a_query_is_not_the_callers_choice(service: RunningService, administrator: Asker) -> None:
    """A filter for another tenant's things finds no such tenant, an operator's finds them."""
    other = service.new_application()
    for path in ("/v1/applications", "/v1/audit-events"):
        answers = [
            administrator.ask("GET", f"{path}?tenantId={tenant_id}")
            for tenant_id in (other.tenant_id, f"ten_{'a' * 26}")
        ]
        assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    found = new_asker(service, EVERYTHING).get(f"/v1/applications?tenantId={other.tenant_id}")["applications"]
    assert [each["applicationId"] for each in found] == [other.application_id]


def test_h03_cursor_of_another_tenant_opens_nothing(service: RunningService, administrator: Asker) -> None:
    """It is answered as a cursor that never was."""
    other = new_asker(service, ADMINISTRATOR)
    for _ in range(2):
        service.new_application(tenant_id=other.tenant_id)
    theirs = other.get("/v1/applications?limit=1")["metadata"]["nextCursor"]
    unknown = theirs.replace(other.application.application_id, f"app_{'a' * 26}")
    answers = [
        administrator.ask("GET", "/v1/applications", params={"cursor": cursor}) for cursor in (theirs, unknown, "x")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(400, answers[0].content)}
    assert "cursor" in answers[0].json()["message"]
    secrets = f"/v1/applications/{administrator.application.application_id}/secrets"
    foreign = administrator.ask("GET", secrets, params={"cursor": other.application.secret_id})
    unknown_secret = administrator.ask("GET", secrets, params={"cursor": f"sec_{'a' * 26}"})
    assert (foreign.status_code, foreign.content) == (400, unknown_secret.content)


def test_h01_etag_is_no_oracle(service: RunningService, administrator: Asker) -> None:
    """A precondition on another tenant's thing is not looked at."""
    theirs = service.new_application()
    operator = new_asker(service, EVERYTHING)
    path = f"/v1/applications/{theirs.application_id}"
    right = operator.ask("GET", path).headers["etag"]
    for tag in (right, '"1"', "*"):
        for method, whole in (("PATCH", path), ("DELETE", path), ("POST", f"{path}/disable")):
            body = {"name": "Stolen"} if method == "PATCH" else None
            answer = administrator.ask(method, whole, headers={"If-Match": tag}, json=body)
            unknown = administrator.ask(
                method, whole.replace(theirs.application_id, f"app_{'a' * 26}"), headers={"If-Match": tag}, json=body
            )
            assert (answer.status_code, answer.content) == (404, unknown.content)
    assert operator.get(path)["name"] == "Fleet sync"


def test_j03_only_what_can_be_chosen_is_taken_from_a_creation(administrator: Asker) -> None:
    """Everything else in the body is ignored: IDs, states, times, secrets, digests, prototypes."""
    chosen = {
        "applicationId": "app_" + "b" * 26,
        "createdAt": "2001-01-01T00:00:00Z",
        "disabledAt": "2001-01-01T00:00:00Z",
        "state": "disabled",
        "changedVersion": 1,
        "applicationSecret": "sensos_sk_mine",
        "secretId": "sec_" + "b" * 26,
        "digest": "00" * 32,
        "__proto__": {"isOperator": True},
        "constructor": {},
        "tenant_id": "ten_" + "b" * 26,
    }
    made = administrator.make("/v1/applications", {"name": "Fleet sync", **chosen})
    assert (made["tenantId"], made["state"], made["disabledAt"]) == (administrator.tenant_id, "enabled", None)
    for name in ("applicationId", "createdAt", "applicationSecret", "secretId"):
        assert made[name] != chosen[name]


@pytest.mark.parametrize(
    "member",
    [
        "tenantId",
        "applicationId",
        "createdAt",
        "disabledAt",
        "state",
        "changedVersion",
        "secretId",
        "__proto__",
        "Name",
    ],
)
def test_j03_unknown_member_of_a_change_is_refused_by_its_name(administrator: Asker, member: str) -> None:
    """A typing error must not look like success; and nobody moves an application to another tenant."""
    made = administrator.make("/v1/applications", {"name": "Fleet sync"})
    path = f"/v1/applications/{made['applicationId']}"
    answer = administrator.ask("PATCH", path, json={"name": "Changed", member: "x"})
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")
    assert member in answer.json()["message"]
    assert administrator.get(path)["name"] == "Fleet sync"


def test_j03_member_that_is_a_secret_is_not_repeated(administrator: Asker) -> None:
    """Nor one in a path, a query, a header or a value."""
    secret = administrator.application.secret
    path = f"/v1/applications/{administrator.application.application_id}"
    answers = [
        administrator.ask("PATCH", path, json={secret: 1}),
        administrator.ask("PATCH", path, json={"name": [secret]}),
        administrator.ask("PATCH", path, json={"lifetime": secret}),
        administrator.ask("GET", f"/v1/applications/{secret}"),
        administrator.ask("GET", f"/v1/secrets/{secret}"),
        administrator.ask("GET", f"/v1/applications?cursor={secret}"),
        administrator.ask("GET", f"/v1/applications?{secret}=1"),
        administrator.ask("GET", f"/v1/applications?limit={secret}"),
        administrator.ask("PATCH", path, json={"name": "x"}, headers={"If-Match": secret}),
        administrator.ask("POST", "/v1/applications", json={"name": "x", "scope": 'x"' + secret}),
        administrator.ask("POST", "/v1/tokens/revoke", json={"accessToken": secret}),
        administrator.ask("POST", f"{path}/secrets", json={"label": secret}),
    ]
    for answer in answers:
        assert answer.status_code in {400, 404}, answer.text
        assert secret not in answer.text


def test_j03_null_does_not_take_away_what_must_be_there(administrator: Asker) -> None:
    """A merge patch removes with null; a name can't be removed."""
    made = administrator.make("/v1/applications", {"name": "Fleet sync", "scope": "devices:read"})
    path = f"/v1/applications/{made['applicationId']}"
    answer = administrator.ask("PATCH", path, json={"name": None, "scope": ""})
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request")
    assert "name" in answer.json()["message"]
    assert administrator.get(path)["scope"] == "devices:read"


def test_j03_null_puts_back_the_default(administrator: Asker) -> None:
    """Of a lifetime: the tenant decides again; of a scope: none."""
    made = administrator.make("/v1/applications", {"name": "Fleet sync", "lifetime": 60, "scope": "devices:read"})
    path = f"/v1/applications/{made['applicationId']}"
    changed = administrator.ask("PATCH", path, json={"lifetime": None, "scope": None}).json()
    assert (changed["lifetime"], changed["scope"], changed["name"]) == (None, "", "Fleet sync")


def test_h14_audit_events_are_the_tenants_own(service: RunningService, administrator: Asker) -> None:
    """An operator sees all, and those that belong to no tenant."""
    other = service.new_application()
    events = administrator.get("/v1/audit-events?limit=100")["auditEvents"]
    assert events
    assert {event["tenantId"] for event in events} == {administrator.tenant_id}
    theirs = new_asker(service, EVERYTHING).get(f"/v1/audit-events?tenantId={other.tenant_id}")["auditEvents"]
    assert {event["subject"] for event in theirs} >= {other.tenant_id, other.application_id, other.secret_id}


def test_j17_the_trail_names_the_caller(administrator: Asker) -> None:
    """By its application's ID."""
    made = administrator.make("/v1/applications", {"name": "Fleet sync"})
    actor = f"application:{administrator.application.application_id}"
    events = administrator.get(f"/v1/audit-events?limit=100&actor={actor}")["auditEvents"]
    actions = [(event["action"], event["subject"]) for event in events]
    assert ("application.created", made["applicationId"]) in actions
    assert ("secret.created", made["secretId"]) in actions
    assert {event["actor"] for event in events} == {actor}


def test_j02_secrets_for_another_api_are_for_operators(service: RunningService, administrator: Asker) -> None:
    """Neither a secret nor a longer life of one, nor enabling, whatever the caller holds here; revoking is for all."""
    other = service.new_application(
        scope="devices:read", audience="https://other.example.com", tenant_id=administrator.tenant_id
    )
    holder = new_asker(service, f"{ADMINISTRATOR} devices:read", tenant_id=administrator.tenant_id)
    path, secret = f"/v1/applications/{other.application_id}", f"/v1/secrets/{other.secret_id}"
    assert holder.ask("PATCH", secret, json={"expiresAt": "2040-01-01T00:00:00Z"}).status_code == 200
    refused = [
        holder.ask("POST", f"{path}/secrets", json={}),
        holder.ask("POST", f"{path}/secrets/rotate", json={}),
        holder.ask("POST", f"{path}/enable"),
        holder.ask("PATCH", secret, json={"expiresAt": None}),
    ]
    for answer in refused:
        assert_forbidden(answer)
        assert OPERATOR in answer.headers["www-authenticate"]
    assert holder.ask("POST", f"{secret}/revoke").status_code == 200
    assert holder.ask("POST", f"{path}/disable").status_code == 200
    operator = new_asker(service, f"{EVERYTHING} devices:read")
    assert operator.ask("POST", f"{path}/secrets", json={}).status_code == 201


def test_j14_change_that_waits_is_not_made_for_who_was_cut_off_meanwhile(service: RunningService) -> None:
    """Once the call that disables has returned, nothing is changed with a token that was good when it was shown."""
    caller = new_asker(service, ADMINISTRATOR)
    with ThreadPoolExecutor(1) as client:
        with service.registry.change("test") as change:
            asked = client.submit(caller.ask, "POST", "/v1/applications", json={"name": "Too late"})
            time.sleep(0.3)  # by now its token was looked at, and it waits for the registry
            assert not asked.done()
            disable_application(change, caller.application.application_id)
        answer = asked.result()
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    with service.registry.view() as view:
        assert count_applications(view, tenant_id=caller.tenant_id) == 1
