"""/openapi.json and /docs: true, whole, and needing nothing from elsewhere."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sensos_auth.model.revocation_page import FEED_KEYS_PATH, FEED_PATH
from sensos_auth.registry import open_registry
from sensos_auth.registry.location import database_url
from sensos_auth.server import documentation
from sensos_auth.server.draining import Drain
from sensos_auth.server.log_sink import LogSink
from sensos_auth.server.management.application import TEMPLATES
from sensos_auth.server.serving import prepare
from sensos_auth.server.verify_endpoint import PATH as VERIFY_PATH
from sensos_auth.server.worker import service as service_of
from tests.running_service import ENDPOINT_PATH, JWKS_PATH, TOKEN_PATH, ExampleApplication, RunningService
from tests.server.contract import JSON_TYPE, ask, token_body
from tests.server.json_schema import assert_fits, resolved
from tests.server.raw_http import RawAnswer, request_bytes

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
# What takes limits or a broken registry is shown elsewhere: test_limits, test_failures.
SHOWN_ELSEWHERE = {"429", "503"}


@pytest.fixture(scope="module")
def document(service: RunningService) -> dict[str, Any]:
    """Return the description."""
    found: dict[str, Any] = service.client.get("/openapi.json").json()
    return found


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [reference for value in node.values() for reference in _references(value)]
    return [reference for value in node for reference in _references(value)] if isinstance(node, list) else []


def _operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()]


def test_description_is_openapi_3_1(document: dict[str, Any]) -> None:
    """Its form, as the specification asks: what is required is there, references lead somewhere, IDs are unique."""
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert {"title", "version"} <= set(document["info"])
    assert set(document) <= {"openapi", "info", "tags", "paths", "components", "servers", "security"}
    for reference in _references(document):
        assert resolved(document, {"$ref": reference})
    operations = _operations(document)
    assert len({operation["operationId"] for _, _, operation in operations}) == len(operations)
    tags = {tag["name"] for tag in document["tags"]}
    for path, method, operation in operations:
        assert path.startswith("/")
        assert method in METHODS
        assert set(operation["tags"]) <= tags
        for scheme in operation["security"]:
            assert set(scheme) <= set(document["components"]["securitySchemes"])
        for status, response in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d", status)
            assert resolved(document, response)["description"]


def test_examples_fit_their_schemas(document: dict[str, Any]) -> None:
    """Of bodies and of answers."""
    contents = []
    for _, _, operation in _operations(document):
        contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
        contents += [resolved(document, shown).get("content", {}) for shown in operation["responses"].values()]
    shown = [content["application/json"] for content in contents if "application/json" in content]
    assert len(shown) > 10
    for content in shown:
        if "example" in content:
            assert_fits(document, content["schema"], content["example"])


def _answers(service: RunningService, application: ExampleApplication) -> dict[tuple[str, str, str], RawAnswer]:
    """Return an answer of the service for every line of the description, by path, method and status."""
    good, token = token_body(application), service.token(application)
    etag = service.client.get(JWKS_PATH).headers["etag"]
    sent = {
        (TOKEN_PATH, "post", "200"): request_bytes("POST", TOKEN_PATH, [JSON_TYPE], good),
        (TOKEN_PATH, "post", "400"): request_bytes("POST", TOKEN_PATH, [JSON_TYPE], b"{}"),
        (TOKEN_PATH, "post", "401"): request_bytes(
            "POST", TOKEN_PATH, [JSON_TYPE], token_body(application, tenantId="x")
        ),
        (TOKEN_PATH, "post", "405"): request_bytes("GET", TOKEN_PATH),
        (TOKEN_PATH, "post", "413"): request_bytes("POST", TOKEN_PATH, [JSON_TYPE], good.ljust(9000)),
        (TOKEN_PATH, "post", "415"): request_bytes("POST", TOKEN_PATH, [("Content-Type", "text/plain")], good),
        (JWKS_PATH, "get", "304"): request_bytes("GET", JWKS_PATH, [("If-None-Match", etag)]),
        (ENDPOINT_PATH, "get", "200"): request_bytes("GET", ENDPOINT_PATH, [("Authorization", f"Bearer {token}")]),
        (ENDPOINT_PATH, "get", "401"): request_bytes("GET", ENDPOINT_PATH),
        (VERIFY_PATH, "get", "200"): request_bytes("GET", VERIFY_PATH, [("Authorization", f"Bearer {token}")]),
        (VERIFY_PATH, "get", "400"): request_bytes("GET", f"{VERIFY_PATH}?scope="),
        (VERIFY_PATH, "get", "401"): request_bytes("GET", VERIFY_PATH),
        (VERIFY_PATH, "get", "403"): request_bytes(
            "GET", f"{VERIFY_PATH}?scope=never", [("Authorization", f"Bearer {token}")]
        ),
    }
    bearer = ("Authorization", f"Bearer {token}")
    feed_etag = service.client.get(FEED_PATH).headers["etag"]
    feed_key_etag = service.client.get(FEED_KEYS_PATH).headers["etag"]
    sent |= {
        (FEED_PATH, "get", "304"): request_bytes("GET", FEED_PATH, [("If-None-Match", feed_etag)]),
        (FEED_PATH, "get", "400"): request_bytes("GET", f"{FEED_PATH}?since=now"),
        (FEED_PATH, "get", "401"): request_bytes("GET", FEED_PATH, [("Authorization", "Bearer x")]),
        (FEED_PATH, "get", "403"): request_bytes("GET", FEED_PATH, [bearer]),
        (FEED_KEYS_PATH, "get", "304"): request_bytes("GET", FEED_KEYS_PATH, [("If-None-Match", feed_key_etag)]),
    }
    for path in (JWKS_PATH, FEED_PATH, FEED_KEYS_PATH, "/healthz", "/readyz"):
        sent[path, "get", "200"] = request_bytes("GET", path)
    for path in (JWKS_PATH, FEED_PATH, FEED_KEYS_PATH, "/healthz", "/readyz", ENDPOINT_PATH):
        sent[path, "get", "405"] = request_bytes("DELETE", path)
    answers = {line: ask(service, request).answer for line, request in sent.items()}
    return {line: answer for line, answer in answers.items() if answer is not None}


def test_what_is_described_really_happens(
    service: RunningService, application: ExampleApplication, document: dict[str, Any]
) -> None:
    """Every path, method and status, with the headers and the body that the description names."""
    answers = _answers(service, application)
    described = {
        (path, method, status)
        for path, method, operation in _operations(document)
        for status in operation["responses"]
        if status not in SHOWN_ELSEWHERE and path not in TEMPLATES  # those: management/test_description
    }
    assert described == set(answers)
    for (path, method, status), answer in answers.items():
        assert str(answer.status) == status
        response = resolved(document, document["paths"][path][method]["responses"][status])
        for name in response.get("headers", {}):
            assert answer.header(name.lower()), name
        if "content" in response:
            (content_type,) = response["content"]
            assert answer.header("content-type") == content_type
            body = json.loads(answer.body)
            assert_fits(document, response["content"][content_type]["schema"], body)
        else:
            assert answer.body == b""


def test_g15_every_served_path_is_described(tmp_path: Path, document: dict[str, Any]) -> None:
    """But for the two that describe."""
    environment = {"SENSOS_AUTH_DATA_DIR": str(tmp_path / "data")}
    prepare(environment)
    registry = open_registry(database_url(environment))
    envelope = service_of(registry, environment, LogSink(), Drain()).envelope
    registry.close()
    served = {*envelope._endpoints, *TEMPLATES}
    assert served == {*document["paths"], documentation.DESCRIPTION_PATH, documentation.PAGE_PATH}


class Links(HTMLParser):
    """Collects what a page loads and leads to, and all its elements and text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.links: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element and its attributes."""
        self.elements.add(tag)
        self.links += [(name, value) for name, value in attrs if name in {"src", "href", "srcset", "action", "data"}]
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.text += data


def test_k09_page_needs_nothing_from_elsewhere(service: RunningService, document: dict[str, Any]) -> None:
    """No script, no picture, no font, no style sheet; its policy would not let any load, or frame it."""
    answer = service.client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    )
    page = Links()
    page.feed(answer.text)
    assert page.links == [("href", "/openapi.json")]
    assert not page.elements & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "svg", "font"}
    assert "@import" not in page.text
    assert "url(" not in page.text
    for path, _, operation in _operations(document):
        assert path in page.text
        assert operation["summary"] in page.text


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_documentation_is_public_and_cacheable(service: RunningService, path: str) -> None:
    """It says nothing about this deployment: neither issuer, audience nor any ID."""
    answer = service.client.get(path)
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert str(service.port) not in answer.text
    assert service.client.head(path).content == b""
