"""Who gets what: every operation with every kind of caller, and the answer that its declaration asks for.

Nothing here is written by hand for one operation: what a caller is told follows from the scopes that the route table
declares, from whether the scope auth:operator is among them, and from whether the request names somebody's thing.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from sensos_auth.issuing import key_rotation
from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.model.signing_key import KeyState, newest_key
from sensos_auth.registry.applications import disable_application
from sensos_auth.registry.audit import AuditFilter, events_page
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.server.management.application import OPERATIONS
from sensos_auth.server.management.authority import OPERATOR
from sensos_auth.server.management.operations import Operation
from sensos_auth.verifying.compact_jws import parse_compact_jws
from tests.running_service import ExampleApplication, RunningService
from tests.server.management.asking import EVERYTHING, UNKNOWN, Asker, new_asker, new_tenant, without_request_id

INVALID_TOKEN = {"error": "Unauthorized", "message": "Invalid or expired access token"}
NO_SCOPE = {"error": "Forbidden", "message": "The access token lacks a scope that this request needs"}
FAR_AWAY = "2040-01-01T00:00:00Z"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.operation_id)


@dataclass(frozen=True)
class Things:
    """What an operation is asked to act on: all of one tenant, made for one request."""

    tenant_id: str
    application: ExampleApplication
    access_token: str
    kid: str

    def path(self, operation: Operation) -> str:
        """Return the operation's path to these things."""
        named = {
            "tenantId": self.tenant_id,
            "applicationId": self.application.application_id,
            "secretId": self.application.secret_id,
            "kid": self.kid,
        }
        return _PLACEHOLDER.sub(lambda match: named[match[1]], operation.path)

    def body(self, operation: Operation) -> dict[str, object] | None:
        """Return the body that the description shows, about these things."""
        if not isinstance(operation.body_example, dict):
            return None
        named = {"tenantId": self.tenant_id, "accessToken": self.access_token, "expiresAt": FAR_AWAY}
        return {name: named.get(name, value) for name, value in operation.body_example.items()}


def new_things(service: RunningService, tenant_id: str = "") -> Things:
    """Make things for one request, of a tenant of their own unless one is named."""
    application = service.new_application(tenant_id=tenant_id)
    return Things(application.tenant_id, application, service.token(application), upcoming_key(service))


def upcoming_key(service: RunningService) -> str:
    """Return the ID of a signing key that signs nothing yet: every token here is signed by the one before it."""
    with service.registry.view() as view:
        newest = newest_key(list_signing_keys(view))
        is_upcoming = newest is not None and newest.state(view.now) is KeyState.UPCOMING
    if newest is None or not is_upcoming:
        master_key = obtain_master_key(service.registry, service.environment)
        newest = key_rotation.rotate(service.registry, master_key, "ES256", actor="test", immediately=False)
    return newest.kid


def make_room(service: RunningService, operation: Operation) -> None:
    """Let a rotation be possible: none may be under way."""
    if operation.path.endswith("/signing-keys/rotate"):
        master_key = obtain_master_key(service.registry, service.environment)
        key_rotation.revoke(service.registry, master_key, "ES256", upcoming_key(service), actor="test")


def ask(caller: Asker, operation: Operation, things: Things) -> httpx2.Response:
    """Return the answer to the operation on these things."""
    make_room(caller.service, operation)
    return caller.ask(operation.method, things.path(operation), json=things.body(operation))


def right_scope(operation: Operation) -> str:
    """Return what the operation declares, and what the body that the description shows gives away."""
    body = operation.body_example if isinstance(operation.body_example, dict) else {}
    return f"{operation.scope} {body.get('scope') or ''}".strip()


def names_a_thing(operation: Operation) -> bool:
    """Tell whether the request names something that belongs to somebody."""
    body = operation.body_example if isinstance(operation.body_example, dict) else {}
    return "{" in operation.path or bool({"tenantId", "accessToken"} & set(body))


def assert_no_word_of(things: Things, answer: httpx2.Response) -> None:
    """Fail if the answer tells anything of them."""
    for word in (things.tenant_id, things.application.application_id, things.application.secret_id):
        assert word not in answer.text


@pytest.fixture(scope="module")
def things(service: RunningService) -> Things:
    """Return things that no request here gets to."""
    return new_things(service)


@each_operation
def test_j01_no_token(service: RunningService, things: Things, operation: Operation) -> None:
    """401, before anything else of the request is looked at."""
    answer = service.client.request(operation.method, things.path(operation), content=b"no JSON")
    assert (answer.status_code, answer.json()) == (401, INVALID_TOKEN)
    assert answer.headers["www-authenticate"] == "Bearer"


@each_operation
def test_j01_malformed_token(service: RunningService, things: Things, operation: Operation) -> None:
    """401, and that the token is not good."""
    for authorization in ("Bearer x", "Bearer a.b.c", "bearer  x", "Bearer x y"):
        headers = {"Authorization": authorization}
        answer = service.client.request(operation.method, things.path(operation), headers=headers, content=b"no JSON")
        assert (answer.status_code, answer.json()) == (401, INVALID_TOKEN)
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.fixture(scope="module")
def asker_of(service: RunningService) -> Callable[[str], Asker]:
    """Return who makes callers with given scopes: one for each set of them, each of a tenant of its own."""
    made: dict[frozenset[str], Asker] = {}

    def asker(scope: str) -> Asker:
        key = frozenset(scope.split())
        if key not in made:
            made[key] = new_asker(service, " ".join(sorted(key)))
        return made[key]

    return asker


@each_operation
def test_j01_token_without_the_scope(
    service: RunningService, things: Things, asker_of: Callable[[str], Asker], operation: Operation
) -> None:
    """403 for whoever has all scopes that there are but one of those that the operation declares."""
    assert operation.scope, "an operation without a scope would be open to all"
    for missing in operation.scope.split():
        others = " ".join(name for name in EVERYTHING.split() if name != missing)
        answer = ask(asker_of(others), operation, things)
        assert (answer.status_code, answer.json()) == (403, NO_SCOPE)
        assert answer.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="{operation.scope}"'
        assert_no_word_of(things, answer)
    assert service.client.get("/readyz").status_code == 200


@each_operation
def test_h01_token_of_another_tenant(
    service: RunningService, asker_of: Callable[[str], Asker], operation: Operation
) -> None:
    """What is another tenant's is not there, to the byte as what never was; an operator gets to it."""
    foreign = new_things(service)
    caller = asker_of(right_scope(operation))
    answer = ask(caller, operation, foreign)
    if operation.is_of_operators:
        assert answer.status_code == operation.status, answer.text
        return
    assert_no_word_of(foreign, answer)
    if not names_a_thing(operation):
        assert answer.status_code == operation.status, answer.text
        return
    unknown = ExampleApplication(f"ten_{UNKNOWN}", f"app_{UNKNOWN}", f"sec_{UNKNOWN}", "")
    nothing = Things(unknown.tenant_id, unknown, foreign.access_token[:-4] + "AAAA", "unknown")
    assert without_request_id(answer) == without_request_id(ask(caller, operation, nothing))
    assert answer.status_code == 404


@each_operation
def test_h01_nothing_of_another_tenant_is_changed(
    service: RunningService, asker_of: Callable[[str], Asker], operation: Operation
) -> None:
    """Whatever a tenant asks for, the other's things and trail are as they were."""
    if operation.is_of_operators:
        pytest.skip("for operators, who may")
    foreign = new_things(service)
    owner = new_asker(service, EVERYTHING, tenant_id=foreign.tenant_id)
    before = everything_of(owner, foreign)
    ask(asker_of(right_scope(operation)), operation, foreign)
    assert everything_of(owner, foreign) == before


def everything_of(owner: Asker, things: Things) -> list[Any]:
    """Return all that there is of these things, what happened to them, and whether their token is good."""
    application = f"/v1/applications/{things.application.application_id}"
    shown = [owner.get(path) for path in (f"/v1/tenants/{things.tenant_id}", application, f"{application}/secrets")]
    with owner.service.registry.view() as view:
        events = events_page(view, AuditFilter(tenant_id=things.tenant_id))
    bearer = {"Authorization": f"Bearer {things.access_token}"}
    return [*shown, events, owner.service.client.get("/v1/endpoint", headers=bearer).status_code]


@each_operation
def test_j02_right_token(service: RunningService, operation: Operation) -> None:
    """The declared scopes, and no other, are enough for the tenant's own things; an operator's for any tenant's."""
    caller = new_asker(service, right_scope(operation))
    answer = ask(caller, operation, new_things(service, "" if operation.is_of_operators else caller.tenant_id))
    assert answer.status_code == operation.status, answer.text
    assert answer.headers["cache-control"] == "no-store"


@each_operation
def test_j14_disabled_caller(service: RunningService, things: Things, operation: Operation) -> None:
    """401 with the next request: its tokens are void."""
    caller = new_asker(service, right_scope(operation))
    with service.registry.change("test") as change:
        disable_application(change, caller.application.application_id)
    answer = ask(caller, operation, things)
    assert (answer.status_code, answer.json()) == (401, INVALID_TOKEN)


@each_operation
def test_j14_revoked_token(service: RunningService, things: Things, operation: Operation) -> None:
    """401 with the next request."""
    caller = new_asker(service, right_scope(operation))
    claims = json.loads(parse_compact_jws(caller.token).payload)
    with service.registry.change("test") as change:
        revoke_token(change, claims["jti"], expires_at=claims["exp"])
    answer = ask(caller, operation, things)
    assert (answer.status_code, answer.json()) == (401, INVALID_TOKEN)


def test_j02_operators_are_told_apart_by_one_scope(service: RunningService) -> None:
    """The table declares it where something belongs to no tenant, or a tenant is made, ended or cut off."""
    of_operators = {operation.operation_id for operation in OPERATIONS if OPERATOR in operation.scope.split()}
    assert of_operators >= {"createTenant", "deleteTenant", "disableTenant", "enableTenant"}
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == len(OPERATIONS)
    assert new_tenant(service)
