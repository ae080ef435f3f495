"""``/openapi.json``, and ``/docs``: the same, as a page for people that needs nothing from anywhere else."""

import json
import re
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from sensos_auth.server.answers import Answer, json_answer, method_not_allowed
from sensos_auth.server.asgi import Receive, Scope

DESCRIPTION_PATH = "/openapi.json"
PAGE_PATH = "/docs"

_METHOD_NOT_ALLOWED = method_not_allowed("GET", "HEAD")
_CACHE = (b"cache-control", b"public, max-age=300")
_CODE = re.compile(r"`([^`]+)`")
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 52rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { line-height: 1.2; } h2 { margin-top: 3rem; } h3 { margin: 2.5rem 0 .5rem; font-size: 1.15rem; }
code, pre { font: .875em/1.5 ui-monospace, monospace; background: var(--soft); border-radius: 4px; }
code { padding: .1em .3em; } pre { padding: .75rem 1rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; }
td, th { border-top: 1px solid var(--line); padding: .45rem .75rem .45rem 0; vertical-align: top; }
.method { font-weight: 700; margin-right: .5rem; }
"""


async def description(scope: Scope, receive: Receive) -> Answer:  # noqa: ARG001 - as all endpoints
    """Answer with the OpenAPI 3.1 description."""
    return json_answer(_description(), _CACHE) if scope["method"] in {"GET", "HEAD"} else _METHOD_NOT_ALLOWED


async def page(scope: Scope, receive: Receive) -> Answer:  # noqa: ARG001 - as all endpoints
    """Answer with the page."""
    if scope["method"] not in {"GET", "HEAD"}:
        return _METHOD_NOT_ALLOWED
    html = _page()
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", b"%d" % len(html)),
        (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        _CACHE,
    ]
    return Answer(200, headers, html)


@cache
def _description() -> bytes:
    return json.dumps(_document(), ensure_ascii=False).encode()


def _document() -> dict[str, Any]:
    """Return the description: the part that is written by hand, and the management API's, which is made from it."""
    own = json.loads((files("sensos_auth.server") / "openapi.json").read_bytes())
    management = json.loads((files("sensos_auth.server.management") / "openapi.json").read_bytes())
    components = {name: members | management["components"].get(name, {}) for name, members in own["components"].items()}
    return {
        **own,
        "tags": own["tags"] + management["tags"],
        "paths": own["paths"] | management["paths"],
        "components": components,
    }


@cache
def _page() -> bytes:
    document = _document()
    operations = [
        (operation["tags"][0], _operation(path, method, operation, document))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    sections = [
        f"<h2>{_text(tag['name'])}</h2><p>{_text(tag['description'])}</p>"
        + "".join(html for name, html in operations if name == tag["name"])
        for tag in document["tags"]
    ]
    info = document["info"]
    html = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{_text(info["title"])}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{_text(info['title'])}</h1><p>{_text(info['description'])}</p>"
        f'<p>For programs: <a href="{DESCRIPTION_PATH}">OpenAPI 3.1</a>.</p>{"".join(sections)}</html>'
    )
    return html.encode()


def _operation(path: str, method: str, operation: dict[str, Any], document: dict[str, Any]) -> str:
    parts = [
        f"<h3>{_text(operation['summary'])}</h3>",
        f'<p><code><span class="method">{method.upper()}</span>{escape(path)}</code></p>',
        f"<p>{_text(operation.get('description', ''))}</p>",
    ]
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        parts.append(_members(_resolved(content["schema"], document)) + _example(content))
    rows = []
    for status, shown in operation["responses"].items():
        response = _resolved(shown, document)
        content = response.get("content", {}).get("application/json", {})
        rows.append(f"<tr><td><code>{status}</code><td>{_text(response['description'])}{_example(content)}")
    parts.append(f"<table><tr><th>Status<th>Answer{''.join(rows)}</table>")
    return "".join(parts)


def _members(schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{escape(_type(member))}<td>{_text(member.get('description', ''))}"
        for name, member in schema["properties"].items()
    )
    return f"<table><tr><th>Member<th>Type<th>{rows}</table>"


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    return str(schema["type"])


def _example(content: dict[str, Any]) -> str:
    if "example" not in content:
        return ""
    return f"<pre>{escape(json.dumps(content['example'], indent=2, ensure_ascii=False))}</pre>"


def _resolved(node: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found = document
    for name in node["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


def _text(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text))
