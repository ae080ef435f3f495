"""Whether a value fits a schema of our description, as far as that uses JSON Schema."""

import re
from typing import Any

_KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}
_KNOWN = {"type", "properties", "required", "items", "enum", "const", "description", "format", "anyOf", "pattern"}
_KNOWN |= {"minimum", "maximum", "minLength", "maxLength", "additionalProperties", "default", "oneOf"}


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return the node that this one refers to, itself if it refers to none."""
    while "$ref" in node:
        reference = node["$ref"]
        assert reference.startswith("#/")
        node = document
        for name in reference[2:].split("/"):
            node = node[name]
    return node


def assert_fits(document: dict[str, Any], schema: dict[str, Any], value: object) -> None:
    """Fail unless the value fits the schema, and unless all that the schema says is understood here."""
    schema = resolved(document, schema)
    assert set(schema) <= _KNOWN
    if "anyOf" in schema:
        (chosen,) = [each for each in schema["anyOf"] if _is_of_kind(resolved(document, each), value)]
        assert_fits(document, chosen, value)
    if "oneOf" in schema:
        assert [_fits(document, each, value) for each in schema["oneOf"]].count(True) == 1
    assert _is_of_kind(schema, value)
    assert "enum" not in schema or value in schema["enum"]
    assert "const" not in schema or value == schema["const"]
    if isinstance(value, int):
        assert schema.get("minimum", value) <= value <= schema.get("maximum", value)
    if isinstance(value, str):
        assert schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        assert re.search(schema.get("pattern", ""), value)
    if isinstance(value, dict):
        _assert_members_fit(document, schema, value)
    if isinstance(value, list):
        for item in value:
            assert_fits(document, schema.get("items", {}), item)


def _fits(document: dict[str, Any], schema: dict[str, Any], value: object) -> bool:
    try:
        assert_fits(document, schema, value)
    except AssertionError:
        return False
    return True


def _assert_members_fit(document: dict[str, Any], schema: dict[str, Any], value: dict[str, object]) -> None:
    members, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    assert set(schema.get("required", [])) <= set(value)
    assert others is not False or set(value) <= set(members)
    for name, each in value.items():
        assert_fits(document, members.get(name, others or {}), each)


def _is_of_kind(schema: dict[str, Any], value: object) -> bool:
    return "type" not in schema or isinstance(value, _KINDS[schema["type"]])
