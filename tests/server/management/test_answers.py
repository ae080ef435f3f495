"""What all answers of the management API have in common, also when it can't answer."""

import statistics
import time

import pytest

from sensos_auth.server.management.application import OPERATIONS
from tests.running_service import ExampleApplication, RunningService
from tests.server.management.asking import ADMINISTRATOR, EVERYTHING, UNKNOWN, Asker, new_asker

pytestmark = pytest.mark.engines("sqlite", "postgresql")

PATHS = sorted({operation.path for operation in OPERATIONS})
each_path = pytest.mark.parametrize("path", PATHS)


@pytest.fixture(scope="module")
def operator(service: RunningService) -> Asker:
    """Return an operator."""
    return new_asker(service, EVERYTHING)


def filled(path: str) -> str:
    """Return the path with something in place of each parameter."""
    return path.replace("{", "").replace("}", "")


@each_path
def test_other_methods_are_refused_with_those_that_there_are(service: RunningService, path: str) -> None:
    """All of them, in ``Allow`` and in the message; a token makes no difference."""
    allowed = {operation.method for operation in OPERATIONS if operation.path == path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} - allowed:
        answer = service.client.request(method, filled(path))
        assert (answer.status_code, answer.json()["error"]) == (405, "Method Not Allowed")
        assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path",
    [
        "/v1/tenants/",
        "/v1/tenants//",
        "//v1/tenants",
        "/v1//tenants",
        "/V1/tenants",
        "/v1/tenantsx",
        "/v1/tenants/a/b",
        "/v1/tenants/a/disable/",
        "/v1/applications/a%2Fsecrets",
        "/v1/%74enants",
        "/v1/secrets",
        "/v1",
        "/v1/",
        "/v2/tenants",
        "/v1/%74enants/x/y/z",
    ],
)
def test_h08_other_paths_are_not_there(service: RunningService, operator: Asker, path: str) -> None:
    """With or without a token, and nothing is sent elsewhere."""
    there = service.client.build_request("GET", "/").url
    for headers in ({}, {"Authorization": f"Bearer {operator.token}"}):
        answer = service.client.get(str(there).rstrip("/") + path, headers=headers, follow_redirects=False)
        assert answer.status_code == 404
        assert answer.json() == {"error": "Not Found", "message": "There is nothing at this path"}


@pytest.mark.parametrize(
    "identifier", ["%00", "app_%00", "..", "app_..%2Fx", "%E2%80%AE", "a" * 3000, "'%20OR%201=1--"]
)
def test_h08_identifiers_that_can_not_be_are_not_there(operator: Asker, identifier: str) -> None:
    """As any that is not; what was sent is not repeated."""
    unknown = operator.ask("GET", f"/v1/applications/app_{UNKNOWN}")
    answer = operator.ask("GET", f"/v1/applications/{identifier}")
    assert answer.status_code == 404
    assert answer.content == unknown.content or answer.json()["message"] == "There is nothing at this path"


def test_token_endpoint_is_no_application(service: RunningService, operator: Asker) -> None:
    """Its path is exact, and goes before what the API has for applications."""
    answer = operator.ask("GET", "/v1/applications/token")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert service.client.post("/v1/applications/token", json={}).json()["message"] == "tenantId is missing"


def test_o_log_shows_the_route_and_no_identifier(service: RunningService, operator: Asker) -> None:
    """Nor anything else of the path or the query."""
    application = service.new_application()
    path = f"/v1/applications/{application.application_id}"
    answers = [
        operator.ask("GET", path),
        operator.ask("GET", f"{path}/secrets?limit=1"),
        operator.ask("GET", f"/v1/applications/{application.secret}"),
        operator.ask("PUT", path),
        operator.ask("GET", f"{path}/nothing"),
        service.client.get(path),
        operator.ask("PATCH", f"/v1/secrets/{application.secret_id}", json={"no": 1}),
    ]
    logged = []
    for answer in answers:
        wanted = answer.headers["x-request-id"]
        line = service.wait_for_line(lambda line, wanted=wanted: line.get("request_id") == wanted)  # type: ignore[misc]
        logged.append((line["path"], line["status"]))
    one = "/v1/applications/{applicationId}"
    assert logged == [
        (one, 200),
        (f"{one}/secrets", 200),
        (one, 404),
        (one, 405),
        ("other", 404),
        (one, 401),
        ("/v1/secrets/{secretId}", 400),
    ]
    for word in (application.application_id, application.secret, application.secret_id, "limit=1"):
        assert word.encode() not in service.log_bytes()


def test_i02_secrets_are_shown_once(service: RunningService, operator: Asker) -> None:
    """I01: by what makes them, never to be stored by anybody on the way; and they work."""
    made = operator.ask("POST", "/v1/applications", json={"name": "Fleet sync"})
    path = f"/v1/applications/{made.json()['applicationId']}"
    more = [operator.ask("POST", f"{path}/{last}", json={}) for last in ("secrets", "secrets/rotate")]
    shown = []
    for answer in (made, *more):
        assert answer.headers["cache-control"] == "no-store"
        members = answer.json()
        shown.append(members["applicationSecret"])
        application = ExampleApplication(
            made.json()["tenantId"], made.json()["applicationId"], members["secretId"], members["applicationSecret"]
        )
        assert service.ask(application).status_code == 200
        assert answer.headers["location"].rpartition("/")[2] in {members["secretId"], members["applicationId"]}
    reads = [path, f"{path}/secrets", "/v1/applications?limit=100", f"/v1/audit-events?tenantId={operator.tenant_id}"]
    for read in reads:
        answer = operator.ask("GET", read)
        assert not [secret for secret in shown if secret in answer.text]
        assert "sensos_sk_" not in answer.text
    assert not [secret for secret in shown if secret.encode() in service.log_bytes()]


def test_i06_secret_can_be_rotated_and_the_old_one_revoked_with_its_tokens(service: RunningService) -> None:
    """I07: those of the new one stay good."""
    owner = new_asker(service, ADMINISTRATOR)
    old = service.new_application(tenant_id=owner.tenant_id)
    path = f"/v1/applications/{old.application_id}"
    rotation = owner.make(f"{path}/secrets/rotate", {"oldEndIn": 3600, "label": "next"})
    assert [each["secretId"] for each in rotation["ending"]] == [old.secret_id]
    assert rotation["ending"][0]["expiresAt"] is not None
    new = ExampleApplication(old.tenant_id, old.application_id, rotation["secretId"], rotation["applicationSecret"])
    tokens = [service.token(application) for application in (old, new)]
    listed = owner.get(f"{path}/secrets")["secrets"]
    assert [each["secretId"] for each in listed] == [old.secret_id, new.secret_id]
    assert all(each["retirement"] and each["isSafeToRetire"] is False for each in listed)
    revoked = owner.ask("POST", f"/v1/secrets/{old.secret_id}/revoke", json={"withTokens": True}).json()
    assert (revoked["state"], revoked["isSafeToRetire"]) == ("revoked", True)
    good = [
        service.client.get("/v1/endpoint", headers={"Authorization": f"Bearer {token}"}).status_code for token in tokens
    ]
    assert good == [401, 200]
    assert (service.ask(old).status_code, service.ask(new).status_code) == (401, 200)
    assert owner.ask("PATCH", f"/v1/secrets/{old.secret_id}", json={"label": "x"}).status_code == 409


def test_access_token_can_be_revoked(service: RunningService) -> None:
    """By its tenant, with the token itself; nothing else of its application is touched."""
    owner = new_asker(service, ADMINISTRATOR)
    application = service.new_application(tenant_id=owner.tenant_id)
    token, other = service.token(application), service.token(application)
    answer = owner.ask("POST", "/v1/tokens/revoke", json={"accessToken": token})
    assert answer.json()["applicationId"] == application.application_id
    assert token not in answer.text
    good = [
        service.client.get("/v1/endpoint", headers={"Authorization": f"Bearer {each}"}).status_code
        for each in (token, other)
    ]
    assert good == [401, 200]
    for body in ({}, {"accessToken": token, "tokenId": "x"}, {"accessToken": ""}, {"accessToken": None}):
        assert owner.ask("POST", "/v1/tokens/revoke", json=body).status_code in {400, 404}
    assert owner.ask("POST", "/v1/tokens/revoke", json={"tokenId": "x"}).status_code == 403


def test_j13_nobody_locks_himself_out(service: RunningService, operator: Asker) -> None:
    """Who calls is neither deleted nor disabled by himself, nor an operator's own tenant."""
    path = f"/v1/applications/{operator.application.application_id}"
    tenant = f"/v1/tenants/{operator.tenant_id}"
    for whole in (path, tenant):
        for method, last in (("DELETE", ""), ("POST", "/disable")):
            answer = operator.ask(method, f"{whole}{last}")
            assert (answer.status_code, answer.json()["error"]) == (409, "Conflict")
    assert operator.get(path)["state"] == "enabled"
    assert service.client.get("/readyz").status_code == 200


def test_z_busy_registry_is_503_and_disturbs_no_token(service: RunningService, operator: Asker) -> None:
    """Another program holds the registry for longer than a writer waits."""
    application = service.new_application()
    with service.registry.database.write():
        started = time.monotonic()
        answer = operator.ask("POST", "/v1/tenants", json={"name": "Blue Motors"})
        assert time.monotonic() - started < 4
        assert (answer.status_code, answer.json()["error"]) == (503, "Service Unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert service.ask(application).status_code == 200
        assert operator.ask("GET", "/v1/tenants").status_code == 200
    assert operator.ask("POST", "/v1/tenants", json={"name": "Blue Motors"}).status_code == 201


@pytest.mark.slow
@pytest.mark.engines("sqlite")
def test_h01_what_is_another_tenants_takes_the_time_of_what_is_not(service: RunningService) -> None:
    """Read or changed: nobody learns from the time that it exists."""
    asker = new_asker(service, ADMINISTRATOR)
    there = service.new_application()
    kinds = {
        "/v1/applications/": (there.application_id, f"app_{UNKNOWN}"),
        "/v1/secrets/": (there.secret_id, f"sec_{UNKNOWN}"),
        "/v1/tenants/": (there.tenant_id, f"ten_{UNKNOWN}"),
    }
    for path, identifiers in kinds.items():
        times: dict[str, list[float]] = {identifier: [] for identifier in identifiers}
        for number in range(600):
            identifier = identifiers[number % 2]
            started = time.perf_counter()
            assert asker.ask("GET", path + identifier).status_code == 404
            times[identifier].append(time.perf_counter() - started)
        # The fastest quarter: what else the machine does is not in it.
        foreign, unknown = (statistics.quantiles(times[identifier], n=4)[0] for identifier in identifiers)
        assert abs(foreign - unknown) < 0.1 * unknown, (path, foreign, unknown)
