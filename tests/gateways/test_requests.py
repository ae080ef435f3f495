"""Each gateway, the real program with its example configuration: what of a request reaches the API."""

import json

import pytest

from tests.gateways.asking import ASKS_SENSOS_AUTH, IDENTITY, ask, assert_caller, assert_refused, send
from tests.gateways.conftest import Scene
from tests.gateways.programs import Gateway
from tests.running_service import ExampleApplication
from tests.server.raw_http import RawConnection

_UPGRADE = [
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]


def test_q01_good_token(
    gateway: Gateway, scene: Scene, token: str, other: ExampleApplication, other_token: str
) -> None:
    """Passes, and the API is told who calls."""
    tried = ask(gateway, token, path="/things/1?a=%20b")
    assert_caller(tried, scene.application, "devices:read devices:write")
    assert tried.api is not None
    assert (tried.api["method"], tried.api["path"]) == ("GET", "/things/1?a=%20b")
    assert_caller(ask(gateway, other_token), other)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE", "PROPFIND"])
def test_q06_q14_no_token(gateway: Gateway, method: str) -> None:
    """401 in the contract's words, whatever the method: OPTIONS too."""
    assert_refused(gateway, ask(gateway, None, method=method), "Bearer")
    assert_refused(gateway, ask(gateway, None, ("Authorization", "Basic YTpi"), method=method), "Bearer")


@pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "PROPFIND", "HEAD"])
def test_q06_other_methods(gateway: Gateway, scene: Scene, token: str, method: str) -> None:
    """Authenticated like any, and the API gets the method that the client sent."""
    tried = ask(gateway, token, method=method)
    assert_caller(tried, scene.application, "devices:read devices:write")
    assert tried.api is not None
    assert tried.api["method"] == method


def test_q06_head_without_token(gateway: Gateway) -> None:
    """401, without a body."""
    tried = ask(gateway, None, method="HEAD")
    assert (tried.status, tried.answer.body, tried.api) == (401, b"", None)


def test_q06_websocket(gateway: Gateway, scene: Scene, token: str) -> None:
    """An upgrade is a request like any: refused without a token, and the API is told who calls."""
    for connection in ("Upgrade", "keep-alive, Upgrade", "Upgrade, X-Sensos-Tenant-Id, Authorization"):
        upgrade = [("Connection", connection), *_UPGRADE]
        assert_refused(gateway, ask(gateway, None, *upgrade), "Bearer")
        tried = ask(gateway, token, *upgrade)
        assert tried.status == 101
        assert_caller(tried, scene.application, "devices:read devices:write")


@pytest.mark.parametrize(
    "protocols",
    [["h2c"], ["H2C"], ["websocket, h2c"], ["h2c", "websocket"], ["websocket", "h2c"], ["TLS/1.2"]],
    ids=repr,
)
def test_own_upgrade_to_anything_but_a_websocket(gateway: Gateway, token: str, protocols: list[str]) -> None:
    """Never offered to the API: HTTP/2 through a connection that nobody reads any more could say and ask anything."""
    upgrades = [("Upgrade", protocol) for protocol in protocols]
    settings = ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")
    tried = ask(gateway, token, ("Connection", "Upgrade, HTTP2-Settings"), settings, *upgrades)
    assert tried.api is None or tried.headers("upgrade") in ([], ["websocket"])


@pytest.mark.parametrize(
    "spoofed",
    [
        pytest.param([(name, "evil") for name in IDENTITY], id="lower-case"),
        pytest.param([(name.upper(), "evil") for name in IDENTITY], id="upper-case"),
        pytest.param([(name.title(), "evil") for name in IDENTITY for _ in range(3)], id="three-times"),
        pytest.param([(name.title(), "") for name in IDENTITY], id="empty"),
        pytest.param([(name.replace("-", "_"), "evil") for name in IDENTITY], id="underscores"),
        pytest.param([("X-Sensos_Tenant-Id", "evil"), ("X_Sensos-Scope", "evil")], id="some-underscores"),
        pytest.param([("X.Sensos.Tenant.Id", "evil"), ("X-Sensos.Scope", "evil")], id="dots"),
    ],
)
def test_q01_spoofed_identity(
    gateway: Gateway, other: ExampleApplication, other_token: str, spoofed: list[tuple[str, str]]
) -> None:
    """Nothing that a client sends under our names reaches the API, in whatever spelling, nor lets him in."""
    tried = ask(gateway, other_token, *spoofed)
    is_misspelt = any("_" in name or "." in name for name, _ in spoofed)
    if gateway.name == "apache" and is_misspelt:
        assert (tried.status, tried.api) == (400, None)
    else:
        assert_caller(tried, other)
        assert_refused(gateway, ask(gateway, None, *spoofed), "Bearer")


@pytest.mark.parametrize(
    "named",
    ["X-Sensos-Tenant-Id", "x-sensos-scope, X-SENSOS-APPLICATION-ID, close", "Authorization", "X-Forwarded-For"],
)
def test_q03_connection_names_a_header(gateway: Gateway, scene: Scene, token: str, named: str) -> None:
    """Takes no identity away: the API gets all of it, or the client is refused. And it gets no such Connection."""
    tried = ask(gateway, token, ("Connection", named))
    if tried.status != 401 or named != "Authorization":
        assert_caller(tried, scene.application, "devices:read devices:write")
        assert not [value for value in tried.headers("connection") if "sensos" in value.lower()]
    assert_refused(gateway, ask(gateway, None, ("Connection", named)), "Bearer")


def test_q07_body(gateway: Gateway, scene: Scene, token: str) -> None:
    """A megabyte reaches the API whole, and none of it Sensos Auth."""
    before = len(scene.relay.sent_to_service)
    with RawConnection(gateway.port) as connection:
        tried = send(connection, "POST", "/things", [("Authorization", f"Bearer {token}")], b"\xfe" * 1_000_000)
    assert_caller(tried, scene.application, "devices:read devices:write")
    assert tried.api is not None
    assert (tried.api["method"], tried.api["bodyLength"]) == ("POST", 1_000_000)
    sent = scene.relay.sent_to_service[before:]
    assert len(sent) < 4096
    assert b"\xfe" not in sent


def test_q09_kept_connection(
    gateway: Gateway, scene: Scene, token: str, other: ExampleApplication, other_token: str
) -> None:
    """Each request of a connection is asked for by itself: no caller's identity goes to the next one."""
    with RawConnection(gateway.port) as connection:
        for _ in range(3):
            first = send(connection, "GET", "/things", [("Authorization", f"Bearer {token}")])
            assert_caller(first, scene.application, "devices:read devices:write")
            second = send(connection, "GET", "/things", [("Authorization", f"Bearer {other_token}")])
            assert_caller(second, other)
            assert_refused(gateway, send(connection, "GET", "/things", []), "Bearer")


def test_q08_sensos_auth_is_down(gateway: Gateway, scene: Scene, token: str) -> None:
    """Who asks lets nobody in, and says 503; who verifies by himself goes on. Afterwards, all is as before."""
    if gateway.name not in ASKS_SENSOS_AUTH:
        assert ask(gateway, token).status == 200  # Apache has the keys by now
    scene.relay.stop()
    try:
        tried, without = ask(gateway, token), ask(gateway, None)
    finally:
        scene.relay.start()
    if gateway.name in ASKS_SENSOS_AUTH:
        for refused in (tried, without):
            assert (refused.status, refused.api) == (503, None)
            assert refused.answer.header("retry-after") == "2"
            assert refused.answer.header("content-type") == "application/json"
            assert json.loads(refused.answer.body)["error"] == "Service Unavailable"
    else:
        assert_caller(tried, scene.application, "devices:read devices:write")
        assert_refused(gateway, without, "Bearer")
    assert_caller(ask(gateway, token), scene.application, "devices:read devices:write")


def test_connections_to_sensos_auth_are_kept(gateway: Gateway, scene: Scene, token: str) -> None:
    """Twenty requests need no twenty connections to Sensos Auth."""
    ask(gateway, token)
    before = scene.relay.connections
    for _ in range(20):
        assert ask(gateway, token).status == 200
    assert scene.relay.connections - before <= 2


def test_no_word_of_the_token_in_the_gateways_output(gateway: Gateway, token: str) -> None:
    """Neither of a good token nor of a bad one."""
    ask(gateway, token)
    ask(gateway, f"{token}x")
    output = gateway.log_file.read_text()
    assert token.split(".")[2] not in output
