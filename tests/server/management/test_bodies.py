"""Bodies of the management API: JSON to the letter, of the right type and size, and read only for whoever may call."""

import inspect
import json

import pytest
from pydantic import BaseModel

from sensos_auth.server.management.application import OPERATIONS
from sensos_auth.server.management.operations import Operation
from tests.running_service import RunningService
from tests.server.management.asking import EVERYTHING, UNKNOWN, Asker, new_asker
from tests.server.raw_http import exchange, request_bytes

LARGEST = 64 * 1024
Headers = list[tuple[str | bytes, str | bytes]]
JSON_TYPE = {"Content-Type": "application/json"}


def body_of(operation: Operation) -> type[BaseModel] | None:
    """Return what the operation's body is made of, if it takes one."""
    parameter = inspect.signature(operation.function).parameters.get("body")
    if parameter is None:
        return None
    model: type[BaseModel] = getattr(parameter.annotation, "__origin__", parameter.annotation)
    assert issubclass(model, BaseModel)
    return model


WITH_BODY = [operation for operation in OPERATIONS if body_of(operation) is not None]
each_with_body = pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.operation_id)


@pytest.fixture(scope="module")
def operator(service: RunningService) -> Asker:
    """Return an operator."""
    return new_asker(service, EVERYTHING)


def path_of(operation: Operation) -> str:
    """Return a path to what there is not: whatever is answered comes before anything is looked for."""
    path = operation.path
    for name, prefix in (("tenantId", "ten_"), ("applicationId", "app_"), ("secretId", "sec_"), ("kid", "")):
        path = path.replace(f"{{{name}}}", prefix + UNKNOWN)
    return path


@each_with_body
def test_b_type_is_json(operator: Asker, operation: Operation) -> None:
    """In UTF-8, and not compressed: 415."""
    body = json.dumps(operation.body_example).encode()
    for headers in (
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json-patch+json"},
        {**JSON_TYPE, "Content-Encoding": "gzip"},
    ):
        answer = operator.ask(operation.method, path_of(operation), content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (415, "Unsupported Media Type"), headers


@each_with_body
def test_b_merge_patch_is_for_changes_only(operator: Asker, operation: Operation) -> None:
    """RFC 7396 section 4: its type is taken where a body is one."""
    body = json.dumps(operation.body_example).encode()
    for type_ in ("application/merge-patch+json", "Application/Merge-Patch+JSON; charset=utf-8"):
        answer = operator.ask(operation.method, path_of(operation), content=body, headers={"Content-Type": type_})
        assert (answer.status_code == 415) is (operation.method != "PATCH"), answer.text


@each_with_body
def test_p_body_has_64_kib_at_most(service: RunningService, operator: Asker, operation: Operation) -> None:
    """413: told by its length before it is read, or once it is longer."""
    body = json.dumps(operation.body_example).encode()
    fits = operator.ask(operation.method, path_of(operation), content=body.ljust(LARGEST), headers=JSON_TYPE)
    assert fits.status_code not in {400, 413}
    for content in (body.ljust(LARGEST + 1), iter([body.ljust(LARGEST), b" "])):
        answer = operator.ask(operation.method, path_of(operation), content=content, headers=JSON_TYPE)
        assert (answer.status_code, answer.json()["error"]) == (413, "Content Too Large")
        assert answer.headers["connection"] == "close"
    announced: Headers = [
        *JSON_TYPE.items(),
        ("Authorization", f"Bearer {operator.token}"),
        ("Content-Length", str(1 << 40)),
    ]
    request = request_bytes(operation.method, path_of(operation), announced)
    answered = exchange(service.port, request, method=operation.method).answer
    assert answered is not None
    assert answered.status == 413


@each_with_body
def test_b_body_is_one_json_object(operator: Asker, operation: Operation) -> None:
    """Nothing else, and nothing that two parsers would read differently."""
    good = json.dumps(operation.body_example)
    for body in (
        b"[]",
        b"null",
        b'"name"',
        b"1",
        b"{",
        b"{]",
        good.encode() + b"x",
        good.encode("utf-16"),
        b"\xef\xbb\xbf" + good.encode(),
        b'{"name": "a", "name": "b"}',
        b'{"x": {"a": 1, "a": 2}}',
        b'{"__proto__": 1, "__proto__": 2}',
        b'{"x": NaN}',
        b'{"x": Infinity}',
        b'{"x": 1e400}',
        b'{"x": %s}' % (b"9" * 5000),
        b'{"x": "\\ud800"}',
        b'{"x": "\xff"}',
        b"{'x': 1}",
        b'{"x": 1,}',
        b'{"x": %s}' % (b"[" * 30_000),
        b'{"x": "\x00"}',
    ):
        answer = operator.ask(operation.method, path_of(operation), content=body, headers=JSON_TYPE)
        assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request"), body[:50]


@each_with_body
def test_b_member_of_the_wrong_type_is_named(operator: Asker, operation: Operation) -> None:
    """Whichever it is: no member is an object, a list or a fraction, and nothing is turned into what it is not."""
    model = body_of(operation)
    assert model is not None
    example = operation.body_example if isinstance(operation.body_example, dict) else {}
    for name, field in model.model_fields.items():
        member = field.alias or name
        for wrong in ({}, [], ["x"], 1.5, {"$ne": ""}):
            body = {**example, member: wrong}
            answer = operator.ask(operation.method, path_of(operation), json=body)
            assert answer.status_code == 400, (member, wrong, answer.text)
            assert member in answer.json()["message"]


@each_with_body
def test_b_missing_member_is_named(operator: Asker, operation: Operation) -> None:
    """Whichever must be there."""
    model = body_of(operation)
    assert model is not None
    example = operation.body_example if isinstance(operation.body_example, dict) else {}
    required = {field.alias or name for name, field in model.model_fields.items() if field.is_required()}
    for member in sorted(required):
        body = {name: value for name, value in example.items() if name != member}
        answer = operator.ask(operation.method, path_of(operation), json=body)
        assert (answer.status_code, answer.json()["message"]) == (400, f"{member} is missing")


@each_with_body
def test_b_nothing_of_a_body_is_looked_at_before_the_caller(service: RunningService, operation: Operation) -> None:
    """401, whatever is in it; and what was not read does not become the next request."""
    for body in (b"{", b"x" * 70_000):
        headers: Headers = [*JSON_TYPE.items(), ("Content-Length", str(len(body)))]
        exchanged = exchange(service.port, request_bytes(operation.method, path_of(operation), headers, body))
        assert exchanged.answer is not None
        assert exchanged.answer.status == 401
        assert exchanged.answer.header("connection") == "close"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", ""),
        ("name", " "),
        ("name", "x" * 201),
        ("name", "a\nb"),
        ("name", "a\u202eb"),
        ("name", None),
        ("name", "sensos_sk_pasted"),
        ("lifetime", 0),
        ("lifetime", -1),
        ("lifetime", 86_401),
        ("lifetime", 10**30),
        ("lifetime", "60"),
        ("lifetime", True),
        ("lifetime", 60.5),
        ("scope", 'a"b'),
        ("scope", "a\\b"),
        ("scope", "é"),
        ("scope", "a\tb"),
        ("scope", "x " * 600 + "y"),
        ("scope", ["auth:operator"]),
        ("audience", ""),
        ("audience", "x" * 513),
    ],
)
def test_j03_values_are_checked_at_creation_and_change(operator: Asker, member: str, value: object) -> None:
    """By the same rules, and the message names the member."""
    path = f"/v1/applications/{operator.application.application_id}"
    for method, whole in (("POST", "/v1/applications"), ("PATCH", path)):
        answer = operator.ask(method, whole, json={"name": "Fleet sync", member: value})
        assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request"), answer.text
        assert member in answer.json()["message"]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "tomorrow",
        "2040-01-01",
        "2040-01-01T00:00:00",
        "2040-01-01T00:00:00+01:00",
        "2040-13-01T00:00:00Z",
        2208988800,
        "2001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "\uff12040-01-01T00:00:00Z",
    ],
)
def test_j03_secret_ends_at_a_time_to_come(operator: Asker, value: object) -> None:
    """Written in the one form that the API answers in."""
    path = f"/v1/secrets/{operator.application.secret_id}"
    answer = operator.ask("PATCH", path, json={"expiresAt": value})
    assert (answer.status_code, answer.json()["error"]) == (400, "Bad Request"), answer.text
    assert operator.get(path)["expiresAt"] is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"scope": "a\tb"}, "scope holds characters that it must not hold"),
        ({"": 1}, "There is no such member to change"),
        ({"name": "sensos_sk_pasted"}, "a name must not hold a secret"),
    ],
)
def test_message_says_what_to_mend(operator: Asker, body: dict[str, object], said: str) -> None:
    """In words: neither as a regular expression, nor as another mistake than the one that was made."""
    answer = operator.ask("PATCH", f"/v1/applications/{operator.application.application_id}", json=body)
    assert answer.json()["message"].partition(":")[0] == said


def test_empty_patch_changes_nothing(operator: Asker) -> None:
    """RFC 7396: nothing is given, so all stays; it is answered as it is."""
    for path in (
        f"/v1/applications/{operator.application.application_id}",
        f"/v1/tenants/{operator.tenant_id}",
        f"/v1/secrets/{operator.application.secret_id}",
    ):
        before = operator.get(path)
        answer = operator.ask("PATCH", path, json={})
        assert answer.status_code == 200, answer.text
        assert answer.json() == before


def test_body_that_is_not_asked_for_is_not_read(operator: Asker) -> None:
    """Many clients send one with every POST. What is in it does not matter, and its connection ends."""
    path = f"/v1/applications/{operator.make('/v1/applications', {'name': 'Fleet sync'})['applicationId']}"
    for body in (b"{}", b'{"withTokens": true}', b"["):
        answer = operator.ask("POST", f"{path}/void-tokens", content=body, headers=JSON_TYPE)
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
