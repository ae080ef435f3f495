"""The management API's part of the service's description (OpenAPI 3.1), made from its route table.

``python -m sensos_auth.server.management.description`` brings ``openapi.json`` beside this up to date; a test says when
it is not. :mod:`sensos_auth.server.documentation` puts it together with the part that is written by hand.
"""

import inspect
import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi

from sensos_auth.server.management.application import OPERATIONS
from sensos_auth.server.management.bodies import MERGE_PATCH
from sensos_auth.server.management.carrying_out import signature_for_fastapi
from sensos_auth.server.management.operations import Kind, Operation

_Json = dict[str, Any]

_TAGS = {
    "Tenants": "The customers. Everything of the management API needs a token with the scope that is named, and shows "
    "no more than the caller's own tenant, unless the token has the scope `auth:operator` as well. What is another "
    "tenant's gets the 404 of what does not exist.",
    "Applications": "The machines of a tenant that call the API. Nobody grants a scope that he does not hold.",
    "Secrets": "What applications show for a token. Several are valid at once, so that they rotate without a break.",
    "Signing keys": "They rotate by themselves; this is for emergencies.",
    "Access tokens": "For one token that leaked.",
    "Audit trail": "Who did what to whom, and when.",
    "Usage": "Which applications get a token per request, in place of keeping theirs.",
    "Verifiers": "The API services that follow the revocation feed and say so.",
}
FILE = "openapi.json"
_SCHEMAS = "#/components/schemas/"
# Pydantic's own words, which it leaves in the schema of a number that may be null.
_WORDS = {"ge": "minimum", "le": "maximum"}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of what you have read: if it was changed since, you get 412 and nothing happens.",
    "schema": {"type": "string"},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A new one for each request, such as a UUID. The same request, sent again with it within 24 hours, "
    "is not carried out again but gets the same answer, its secret included.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!#-\[\]-~]+$"},
}


def management_description() -> _Json:
    """Return the part: its tags, its paths, and the components that those name and nobody else does."""
    paths, schemas = _generated()
    return {
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {"responses": _RESPONSES, "schemas": schemas},
    }


def _generated() -> tuple[_Json, _Json]:
    router = APIRouter()
    for operation in OPERATIONS:
        router.add_api_route(
            operation.path,
            _endpoint(operation),
            methods=[operation.method],
            status_code=operation.status,
            response_model=operation.shown,
            operation_id=operation.operation_id,
            tags=[operation.tag],
            summary=operation.summary,
            description=inspect.getdoc(operation.function),
        )
    made = _plain(get_openapi(title="-", version="-", routes=router.routes))
    for operation in OPERATIONS:
        _complete(made["paths"][operation.path][operation.method.lower()], operation)
    return made["paths"], _schemas_named_in(made["paths"], made["components"]["schemas"])


def _endpoint(operation: Operation) -> Any:  # noqa: ANN401 - nobody calls it
    async def endpoint(**_: Any) -> None:  # noqa: ANN401
        raise NotImplementedError

    endpoint.__signature__ = signature_for_fastapi(operation.function)  # type: ignore[attr-defined]
    return endpoint


def _complete(made: _Json, operation: Operation) -> None:
    """Add what FastAPI does not know of: who may call, headers, examples, and every error."""
    made["security"] = [{"bearerAuth": operation.scope.split()}]
    for parameter in made.get("parameters", []):
        parameter["schema"] = _of_text(parameter["schema"])
    if operation.kind is Kind.CHANGING and operation.has_version:
        made.setdefault("parameters", []).append(_IF_MATCH)
    if operation.kind is Kind.CREATING:
        made.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
    if "requestBody" in made:
        content = made["requestBody"]["content"]
        content["application/json"]["example"] = operation.body_example
        content["application/json"]["schema"].pop("default", None)
        if operation.method == "PATCH":
            made["requestBody"]["content"] = {MERGE_PATCH: content["application/json"], **content}
    success = made["responses"][str(operation.status)]
    success["description"] = "Done." if operation.shown is None else inspect.getdoc(operation.shown)
    success["headers"] = _headers(operation)
    if operation.shown is not None:
        success["content"]["application/json"]["example"] = operation.example
    made["responses"] = {str(operation.status): success, **_refusals(made, operation)}


def _of_text(schema: _Json) -> _Json:
    """Return the schema of a parameter: it is there or not, but never null, and its description stands beside it."""
    (schema,) = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    return {name: each for name, each in schema.items() if name != "description"}


def _headers(operation: Operation) -> _Json:
    text = {"type": "string"}
    headers: _Json = {"Cache-Control": {"description": "Always `no-store`.", "schema": text}}
    if operation.has_version and operation.shown is not None:
        headers["ETag"] = {"description": "Its version, for `If-Match`.", "schema": text}
    if operation.kind is Kind.CREATING:
        headers["Location"] = {"description": "Where it is.", "schema": text}
    return headers | {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}}


def _refusals(made: _Json, operation: Operation) -> _Json:
    has_body = "requestBody" in made
    members = set(operation.body_members)
    parameters = {parameter["name"]: parameter["in"] for parameter in made.get("parameters", [])}
    names_something = "path" in parameters.values() or {"tenantId", "accessToken"} & (parameters.keys() | members)
    names = {
        "400": "Malformed",
        "401": "BadToken",
        "403": "NotAllowed",
        "404": "NoSuchThing" if names_something else "",
        "405": "MethodNotAllowed",
        "412": "ChangedSince" if "If-Match" in parameters else "",
        "413": "TooLarge" if has_body else "",
        "415": "NotJson" if has_body else "",
        "422": "KeyOfAnotherRequest" if "Idempotency-Key" in parameters else "",
        "429": "TooManyCalls",
        "503": "Unavailable",
    }
    refusals: _Json = {status: {"$ref": f"#/components/responses/{name}"} for status, name in names.items() if name}
    if operation.conflict:
        refusals["409"] = _error(operation.conflict, "Conflict", "…")
    return dict(sorted(refusals.items()))


def _error(description: str, phrase: str, message: str, headers: _Json | None = None) -> _Json:
    content = {"schema": {"$ref": f"{_SCHEMAS}Error"}, "example": {"error": phrase, "message": message}}
    shown = {} if headers is None else {"headers": headers}
    return {"description": description, **shown, "content": {"application/json": content}}


_CHALLENGE = {"WWW-Authenticate": {"description": "Of the scheme `Bearer`.", "schema": {"type": "string"}}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
_RESPONSES = {
    "Malformed": _error(
        "A parameter, a header or a member of the body is missing, unknown or not what it must be: the message names "
        "it. Or the body is not one JSON object, or was cut off.",
        "Bad Request",
        "name is missing",
    ),
    "BadToken": _error(
        "No access token was sent, or it is not good.", "Unauthorized", "Invalid or expired access token", _CHALLENGE
    ),
    "NotAllowed": _error(
        "The token lacks a scope: of those that the operation needs, or of those that are to be granted. "
        "`WWW-Authenticate` names them.",
        "Forbidden",
        "The access token lacks a scope that this request needs",
        _CHALLENGE,
    ),
    "NoSuchThing": _error(
        "It does not exist, or is another tenant's.",
        "Not Found",
        "There is no such tenant, application, secret, signing key or token",
    ),
    "ChangedSince": _error(
        "It was changed since you read it.",
        "Precondition Failed",
        "It was changed since you read it: read it again, and repeat your change on what it is now if that is right",
    ),
    "TooLarge": _error("The body is larger than 64 KiB.", "Content Too Large", "The body is larger than 65536 bytes"),
    "NotJson": _error(
        "The body is not JSON in UTF-8, or is compressed.",
        "Unsupported Media Type",
        "Send the body as Content-Type: application/json in UTF-8",
    ),
    "KeyOfAnotherRequest": _error(
        "The `Idempotency-Key` was sent with another request.",
        "Unprocessable Entity",
        "This Idempotency-Key was sent with another request: use a new key for each request",
    ),
    "TooManyCalls": _error(
        "Too many requests of the caller's tenant are waiting. Send fewer at once, and this one again after "
        "`Retry-After` seconds.",
        "Too Many Requests",
        "Too many requests of your tenant wait for an answer: send fewer at once",
        _RETRY_AFTER,
    ),
}


def _schemas_named_in(node: object, schemas: _Json) -> _Json:
    """Return those of the schemas that the node refers to, and that those refer to."""
    wanted, found = [node], set[str]()
    while wanted:
        text = json.dumps(wanted.pop())
        for name in schemas.keys() - found:
            if f'"{_SCHEMAS}{name}"' in text:
                found.add(name)
                wanted.append(schemas[name])
    return {name: schema for name, schema in schemas.items() if name in found}


def _plain(node: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what FastAPI made without the titles that it gives to everything, and with our names of schemas."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if isinstance(node, str) and node.startswith(_SCHEMAS):
        return _schema_name(node)
    if isinstance(node, float) and node.is_integer():
        return int(node)
    if not isinstance(node, dict):
        return node
    is_schema = not isinstance(node.get("title"), dict)  # a member can be called title
    members = {name: each for name, each in node.items() if not (is_schema and name == "title")}
    return {_WORDS.get(name) or _schema_name(name): _plain(each) for name, each in members.items()}


def _schema_name(name: str) -> str:
    return name.removesuffix("Shown").removesuffix("Asked")


def _write() -> None:
    text = json.dumps(management_description(), indent=1, ensure_ascii=False)
    Path(__file__).with_name(FILE).write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    _write()
