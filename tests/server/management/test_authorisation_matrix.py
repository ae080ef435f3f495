"""Who gets what: every operation with every kind of caller, and the answer that its declaration asks for.

Nothing here is written by hand for one operation: what a caller is told follows from the scopes that the route table
declares, from whether the scope auth:operator is among them, and from whether the request names somebody's thing.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from sensos_auth.registry.applications import disable_application
from sensos_auth.registry.audit import AuditFilter, events_page
from sensos_auth.registry.revocations import revoke_token
from sensos_auth.server.management.application import OPERATIONS
from sensos_auth.server.management.authority import OPERATOR
from sensos_auth.server.management.operations import Kind, Operation
from sensos_auth.verifying.compact_jws import parse_compact_jws
from tests.running_service import RunningService
from tests.server.management.asking import EVERYTHING, Asker, new_asker, new_tenant, without_request_id
from tests.server.management.things import (
    Things,
    ask,
    each_operation,
    make_room,
    names_a_thing,
    new_things,
    nothing_like,
    right_scope,
)

pytestmark = pytest.mark.engines("sqlite", "postgresql")

INVALID_TOKEN = {"error": "Unauthorized", "message": "Invalid or expired access token"}
NO_SCOPE = {"error": "Forbidden", "message": "The access token lacks a scope that this request needs"}


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
    assert without_request_id(answer) == without_request_id(ask(caller, operation, nothing_like(foreign)))
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS if not operation.is_of_operators],
    ids=lambda operation: operation.operation_id,
)
def test_h01_nothing_of_another_tenant_is_changed(
    service: RunningService, asker_of: Callable[[str], Asker], operation: Operation
) -> None:
    """Whatever a tenant asks for, the other's things and trail are as they were."""
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


# On PostgreSQL each would wait for its own taking away: the feed's tests show that the verifier there knows of it.
@pytest.mark.engines("sqlite")
@each_operation
def test_j14_disabled_caller(service: RunningService, things: Things, operation: Operation) -> None:
    """401 with the next request: its tokens are void."""
    caller = new_asker(service, right_scope(operation))
    with service.registry.change("test") as change:
        disable_application(change, caller.application.application_id)
    answer = ask(caller, operation, things)
    assert (answer.status_code, answer.json()) == (401, INVALID_TOKEN)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.READING], ids=lambda kind: kind.name)
def test_j14_caller_disabled_while_his_change_waits(service: RunningService, kind: Kind) -> None:
    """401: once whoever disabled him has his answer, nothing is changed in the caller's name, of whatever kind."""
    operation = next(operation for operation in OPERATIONS if operation.kind is kind)
    caller = new_asker(service, right_scope(operation))
    things = new_things(service, "" if operation.is_of_operators else caller.tenant_id)
    make_room(service, operation)
    path, body = things.path(operation), things.body(operation)
    with ThreadPoolExecutor(1) as client:
        with service.registry.change("test") as change:
            disable_application(change, caller.application.application_id)
            waiting = client.submit(caller.ask, operation.method, path, json=body)
            time.sleep(0.3)  # it has been let in, and waits for the registry
            assert not waiting.done()
        answer = waiting.result()
    assert (answer.status_code, answer.json()) == (401, INVALID_TOKEN)


@pytest.mark.engines("sqlite")
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
