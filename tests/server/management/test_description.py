"""The management API's part of /openapi.json: current, and true for every operation and status."""

import json
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from typing import Any

import httpx2
import pytest

from sensos_auth.model.errors import Conflict
from sensos_auth.registry.secrets import create_secret
from sensos_auth.server.management.application import OPERATIONS
from sensos_auth.server.management.description import FILE, management_description
from sensos_auth.server.management.operations import Kind, Operation
from tests.running_service import RunningService
from tests.server.json_schema import assert_fits, resolved
from tests.server.management.asking import EVERYTHING, UNKNOWN, Asker, new_asker
from tests.server.management.things import (
    Things,
    ask,
    each_operation,
    new_things,
    nothing_like,
    right_scope,
)

# What takes a limit or a busy registry is shown elsewhere.
SHOWN_ELSEWHERE = {"429", "503"}


@pytest.fixture(scope="module")
def document(service: RunningService) -> dict[str, Any]:
    """Return the service's description."""
    found: dict[str, Any] = service.client.get("/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def operator(service: RunningService) -> Asker:
    """Return a caller who may everything, and grant what the examples grant."""
    granted = {name for operation in OPERATIONS for name in right_scope(operation).split()}
    return new_asker(service, " ".join(sorted({*EVERYTHING.split(), *granted})))


def test_description_is_current() -> None:
    """Otherwise: python -m sensos_auth.server.management.description."""
    written = (files("sensos_auth.server.management") / FILE).read_text("utf-8")
    assert json.loads(written) == json.loads(json.dumps(management_description()))


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    """With its scopes, an example of what it takes and answers, and every member explained by its type."""
    for operation in OPERATIONS:
        described = document["paths"][operation.path][operation.method.lower()]
        assert described["operationId"] == operation.operation_id
        assert described["security"] == [{"bearerAuth": operation.scope.split()}]
        assert described["summary"]
        assert described["description"]
        assert {"400", "401", "403", "405", "429", "503", str(operation.status)} <= set(described["responses"])
        success = described["responses"][str(operation.status)]
        if operation.shown is not None:
            assert success["content"]["application/json"]["example"]
        if "requestBody" in described:
            types = set(described["requestBody"]["content"])
            merge_patch = {"application/merge-patch+json"} if operation.method == "PATCH" else set()
            assert types == {"application/json"} | merge_patch


def refused(caller: Asker, operation: Operation, status: str) -> list[Callable[[], httpx2.Response]]:
    """Return ways to have the operation refused with the status: one of them does it."""
    things = new_things(caller.service)
    body = things.body(operation)
    json_type, text_type = ({"Content-Type": name} for name in ("application/json", "text/plain"))
    nobody = f"ten_{UNKNOWN}"

    def request(query: str = "", method: str = operation.method, **options: Any) -> httpx2.Response:  # noqa: ANN401 - as httpx2
        return caller.ask(method, things.path(operation) + query, **({"json": body} | options))

    ways: dict[str, list[Callable[[], httpx2.Response]]] = {
        "400": [lambda: request("?x=1&x=1")],
        "401": [lambda: caller.service.client.request(operation.method, things.path(operation))],
        "403": [lambda: ask(new_asker(caller.service, "devices:read"), operation, things)],
        "404": [
            lambda: ask(caller, operation, nothing_like(things)),
            lambda: request(f"?tenantId={nobody}"),
            lambda: request(json={**(body or {}), "tenantId": nobody}),
        ],
        "405": [lambda: request(method="PUT")],
        "409": [
            lambda: ask(caller, operation, own_things(caller, things)),
            lambda: ask_after_its_end(caller, operation, things),
            lambda: ask_for_one_too_many(caller, operation, things),
        ],
        "412": [lambda: request(headers={"If-Match": '"1"'})],
        "413": [lambda: request(json=None, content=b" " * 70_000, headers=json_type)],
        "415": [lambda: request(json=None, content=b"{}", headers=text_type)],
        "422": [lambda: ask_otherwise_with_the_same_key(caller, operation, things)],
    }
    return ways[status]


def ask_otherwise_with_the_same_key(caller: Asker, operation: Operation, things: Things) -> httpx2.Response:
    """Return the answer to another request with the key of one that was answered."""
    path, body = things.path(operation), things.body(operation) or {}
    key = {"Idempotency-Key": f"{operation.operation_id}-{things.tenant_id}"}
    assert caller.ask(operation.method, path, json=body, headers=key).status_code == 201
    return caller.ask(operation.method, path, json={**body, "more": 1}, headers=key)


def ask_for_one_too_many(caller: Asker, operation: Operation, things: Things) -> httpx2.Response:
    """Return the answer once the application has as many secrets as it may."""
    with caller.service.registry.change("test") as change, suppress(Conflict):
        while True:
            create_secret(change, application_id=things.application.application_id)
    return ask(caller, operation, things)


def own_things(caller: Asker, things: Things) -> Things:
    """Return the caller's own things."""
    return Things(caller.tenant_id, caller.application, things.access_token, things.kid)


def ask_after_its_end(caller: Asker, operation: Operation, things: Things) -> httpx2.Response:
    """Return the answer once the secret is revoked, and all that the operation does has been done before."""
    caller.ask("POST", f"/v1/secrets/{things.application.secret_id}/revoke")
    path, body = things.path(operation), things.body(operation)
    caller.ask(operation.method, path, json=body)
    return caller.ask(operation.method, path, json=body)


@each_operation
def test_j18_what_is_described_really_happens(
    service: RunningService, document: dict[str, Any], operator: Asker, operation: Operation
) -> None:
    """Every status, with the headers and the body that the description names."""
    responses = document["paths"][operation.path][operation.method.lower()]["responses"]
    success = str(operation.status)
    assert_described(document, responses[success], ask(operator, operation, new_things(service)), success)
    for status in responses.keys() - SHOWN_ELSEWHERE - {success}:
        answers = []
        for way in refused(operator, operation, status):
            answers.append(way())
            if str(answers[-1].status_code) == status:
                break
        assert_described(document, responses[status], answers[-1], status)


def assert_described(document: dict[str, Any], described: dict[str, Any], answer: httpx2.Response, status: str) -> None:
    """Fail unless the answer is as it is described."""
    assert str(answer.status_code) == status, answer.text
    response = resolved(document, described)
    for name in response.get("headers", {}):
        assert answer.headers[name], name
    if "content" in response:
        assert answer.headers["content-type"] == "application/json"
        assert_fits(document, response["content"]["application/json"]["schema"], answer.json())
    else:
        assert answer.content == b""


@each_operation
def test_only_what_can_be_bound_or_repeated_says_so(document: dict[str, Any], operation: Operation) -> None:
    """``If-Match`` for changes, ``Idempotency-Key`` for creations."""
    described = document["paths"][operation.path][operation.method.lower()]
    headers = {each["name"] for each in described.get("parameters", []) if each["in"] == "header"}
    assert ("Idempotency-Key" in headers) is (operation.kind is Kind.CREATING)
    assert ("If-Match" in headers) is ("412" in described["responses"])
    assert ("422" in described["responses"]) is ("Idempotency-Key" in headers)
