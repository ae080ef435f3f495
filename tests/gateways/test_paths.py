"""Each gateway, the real program with its example configuration: scopes by path, however a path is spelt."""

import json

import pytest

from tests.gateways.asking import Tried, ask, assert_caller, assert_refused
from tests.gateways.conftest import Scene
from tests.gateways.programs import Gateway


def test_scope_of_a_path(gateway: Gateway, scene: Scene, token: str, other_token: str) -> None:
    """403 in the contract's words for a token without it; no token is still a 401."""
    assert_caller(ask(gateway, token, path="/devices/1"), scene.application, "devices:read devices:write")
    forge = scene.forge()
    alone = forge.token(claims=forge.claims(iss=scene.issuer, scope="devices:read"))
    assert_caller(ask(gateway, alone, path="/devices"), scene.application, "devices:read")
    near = forge.token(claims=forge.claims(iss=scene.issuer, scope="devices:reader adevices:read"))
    for bad in (other_token, near):
        tried = ask(gateway, bad, path="/devices/1")
        assert (tried.status, tried.api) == (403, None)
        assert tried.answer.header("content-type") == "application/json"
        assert json.loads(tried.answer.body)["error"] == "Forbidden"
        challenge = 'Bearer error="insufficient_scope", scope="devices:read"'
        assert tried.answer.header("www-authenticate") == challenge
        assert ask(gateway, bad, path="/devices/1?scope=x").status == 403  # the client's query is none of the question
    assert_refused(gateway, ask(gateway, None, path="/devices/1"), "Bearer")


@pytest.mark.parametrize(
    "spelling",
    [
        "/./devices/1",
        "//devices/1",
        "/%64evices/1",
        "/%2564evices/1/../../devices/1",
        "/x/../devices/1",
        "/x/%2e%2e/devices/1",
        "/x/..%2fdevices/1",
        "/x/..;/devices/1",
        "/%2e/devices/1",
        "/%2fdevices/1",
        "/devices/../devices/1",
        "/devices%2f1",
        "/DEVICES/1",
        "/devices;x/1",
        "/;/devices/1",
        "/x;y/../devices/1",
        "/;x=y/devices/1",
        "/%3b/devices/1",
        "/\\devices/1",
        "/%5cdevices/1",
        "/x\\..\\devices/1",
        "/x/%252e%252e/devices/1",
        "/x#/../devices/1",
        "http://127.0.0.1/devices/1",
    ],
)
def test_q05_other_spellings_of_a_path(gateway: Gateway, other_token: str, spelling: str) -> None:
    """None of them gets round the scope, however the API reads them."""
    tried = ask(gateway, other_token, path=spelling)
    assert tried.api is None, tried.api["path"]
    assert tried.status in {400, 403, 404}


@pytest.mark.parametrize(
    "spelling",
    [
        *("/devices/../things", "/devices/%2e%2e/things", "/devices/..%2fthings", "/devices/1/../../things"),
        *("/devices/..;/things", "/devices/..%3b/things", "/devices/..\\things"),
    ],
)
def test_q05_path_that_a_gateway_reads_as_another(gateway: Gateway, other_token: str, spelling: str) -> None:
    """Where no scope is needed because the gateway resolved the path, the API does not get it unresolved."""
    tried = ask(gateway, other_token, path=spelling)
    assert tried.api is None or tried.api["path"] == "/things"


@pytest.mark.parametrize("path", ["/things", "/things/", "/a.b/..c/.d/e..", "/x;y=z/1", "/a%20b/%C3%BC", "/?a=//../;"])
def test_q05_paths_that_are_not_odd(gateway: Gateway, other_token: str, path: str) -> None:
    """What looks odd at first sight only, or in the query, reaches the API."""
    assert ask(gateway, other_token, path=path).status == 200


def test_what_the_gateway_asks_is_none_of_its_clients(gateway: Gateway, scene: Scene, token: str) -> None:
    """A path of the gateway's own, or of Sensos Auth, is a path of the API or of nobody."""
    for path in ("/_sensos/verify", "/_sensos/verify/devices:read", "/v1/verify"):
        tried = ask(gateway, token, path=path)
        assert not [name for name, _ in tried.answer.headers if name.startswith("x-sensos")]
        if gateway.name == "nginx" and path.startswith("/_sensos"):
            assert (tried.status, tried.api) == (404, None)
        else:
            assert_caller(tried, scene.application, "devices:read devices:write")
        _assert_refused_or_missing(ask(gateway, None, path=path))


def _assert_refused_or_missing(tried: Tried) -> None:
    assert tried.api is None
    assert tried.status in {401, 404}
