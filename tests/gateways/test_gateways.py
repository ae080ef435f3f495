"""Each gateway, the real program with its example configuration: what reaches the API, and what does not."""

import hmac
import json
import time
from dataclasses import dataclass, replace
from typing import Any

import pytest

from sensos_auth.issuing.key_pair import new_key_pair, public_pem
from sensos_auth.issuing.minting import base64url
from sensos_auth.registry.revocations import revoke_token
from tests.gateways.conftest import Scene
from tests.gateways.programs import Gateway, running_gateway, why_not
from tests.running_service import ExampleApplication
from tests.server.contract import INVALID_TOKEN
from tests.server.forged_tokens import part
from tests.server.raw_http import RawAnswer, RawConnection, request_bytes

ASKS_SENSOS_AUTH = {"nginx", "caddy"}  # the others verify by themselves
_IDENTITY = ("x-sensos-tenant-id", "x-sensos-application-id", "x-sensos-scope", "x-sensos-token-id")
_UPGRADE = [
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]

Headers = list[tuple[str, str]]


@dataclass
class Tried:
    """What the client got, and what the API got: nothing, if the request did not pass."""

    answer: RawAnswer
    api: dict[str, Any] | None

    @property
    def status(self) -> int:
        """Return the status that the client got."""
        return self.answer.status

    def identity(self) -> dict[str, str]:
        """Return the identity headers that the API got; empty ones and missing ones are alike."""
        assert self.api is not None
        got = [(name, value) for name, value in self.api["headers"] if "sensos" in name and value]
        assert len(dict(got)) == len(got), "a header came twice"
        return dict(got)

    def headers(self, name: str) -> list[str]:
        """Return the values of a header that the API got."""
        assert self.api is not None
        return [value for given, value in self.api["headers"] if given == name]


def _send(connection: RawConnection, method: str, path: str, headers: Headers, body: bytes = b"") -> Tried:
    connection.send(request_bytes(method, path, [*headers], body))
    answer = connection.read_answer(method)
    assert answer is not None
    echo = answer.header("x-echo")
    return Tried(answer, None if echo is None else json.loads(echo))


def _try(
    gateway: Gateway, token: str | None, *headers: tuple[str, str], method: str = "GET", path: str = "/things"
) -> Tried:
    bearer = [] if token is None else [("Authorization", f"Bearer {token}")]
    with RawConnection(gateway.port) as connection:
        return _send(connection, method, path, [*bearer, *headers])


@pytest.fixture(scope="session")
def token(scene: Scene) -> str:
    """Return a good token, with the scopes devices:read and devices:write."""
    return scene.service.token(scene.application)


@pytest.fixture(scope="session")
def other(scene: Scene) -> ExampleApplication:
    """Return an application of another tenant, without scopes."""
    return scene.service.new_application()


@pytest.fixture(scope="session")
def other_token(scene: Scene, other: ExampleApplication) -> str:
    """Return its token."""
    return scene.service.token(other)


def _assert_caller(tried: Tried, application: ExampleApplication, scope: str = "") -> None:
    assert tried.status in {200, 101}, tried.answer
    identity = tried.identity()
    assert len(identity.pop("x-sensos-token-id")) == 22
    assert identity == {
        "x-sensos-tenant-id": application.tenant_id,
        "x-sensos-application-id": application.application_id,
    } | ({"x-sensos-scope": scope} if scope else {})


def _assert_refused(gateway: Gateway, tried: Tried, challenge: str) -> None:
    """Fail unless this is the contract's 401, and nothing reached the API."""
    assert tried.api is None
    assert tried.status == 401, tried.answer
    assert tried.answer.header("content-type") == "application/json"
    assert tried.answer.header("cache-control") == "no-store"
    assert json.loads(tried.answer.body) == {"error": "Unauthorized", "message": INVALID_TOKEN}
    given = tried.answer.header("www-authenticate")
    # mod_oauth2 words the challenge for a token that it refused, and no configuration changes that.
    assert given == challenge or (gateway.name == "apache" and (given or "").startswith(f"{challenge}, "))


def test_q01_good_token(
    gateway: Gateway, scene: Scene, token: str, other: ExampleApplication, other_token: str
) -> None:
    """Passes, and the API is told who calls."""
    tried = _try(gateway, token, path="/things/1?a=%20b")
    _assert_caller(tried, scene.application, "devices:read devices:write")
    assert tried.api is not None
    assert (tried.api["method"], tried.api["path"]) == ("GET", "/things/1?a=%20b")
    _assert_caller(_try(gateway, other_token), other)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE", "PROPFIND"])
def test_q06_q14_no_token(gateway: Gateway, method: str) -> None:
    """401 in the contract's words, whatever the method: OPTIONS too."""
    _assert_refused(gateway, _try(gateway, None, method=method), "Bearer")
    _assert_refused(gateway, _try(gateway, None, ("Authorization", "Basic YTpi"), method=method), "Bearer")


@pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "PROPFIND", "HEAD"])
def test_q06_other_methods(gateway: Gateway, scene: Scene, token: str, method: str) -> None:
    """Authenticated like any, and the API gets the method that the client sent."""
    tried = _try(gateway, token, method=method)
    _assert_caller(tried, scene.application, "devices:read devices:write")
    assert tried.api is not None
    assert tried.api["method"] == method


def test_q06_head_without_token(gateway: Gateway) -> None:
    """401, without a body."""
    tried = _try(gateway, None, method="HEAD")
    assert (tried.status, tried.answer.body, tried.api) == (401, b"", None)


def test_q06_websocket(gateway: Gateway, scene: Scene, token: str) -> None:
    """An upgrade is a request like any: refused without a token, and the API is told who calls."""
    for connection in ("Upgrade", "keep-alive, Upgrade", "Upgrade, X-Sensos-Tenant-Id, Authorization"):
        upgrade = [("Connection", connection), *_UPGRADE]
        _assert_refused(gateway, _try(gateway, None, *upgrade), "Bearer")
        tried = _try(gateway, token, *upgrade)
        assert tried.status == 101
        _assert_caller(tried, scene.application, "devices:read devices:write")


@pytest.mark.parametrize(
    "protocols",
    [["h2c"], ["H2C"], ["websocket, h2c"], ["h2c", "websocket"], ["websocket", "h2c"], ["TLS/1.2"]],
    ids=repr,
)
def test_own_upgrade_to_anything_but_a_websocket(gateway: Gateway, token: str, protocols: list[str]) -> None:
    """Never offered to the API: HTTP/2 through a connection that nobody reads any more could say and ask anything."""
    upgrades = [("Upgrade", protocol) for protocol in protocols]
    settings = ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")
    tried = _try(gateway, token, ("Connection", "Upgrade, HTTP2-Settings"), settings, *upgrades)
    assert tried.api is None or tried.headers("upgrade") in ([], ["websocket"])


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
    tried = _try(gateway, other_token, path=spelling)
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
    tried = _try(gateway, other_token, path=spelling)
    assert tried.api is None or tried.api["path"] == "/things"


@pytest.mark.parametrize("path", ["/things", "/things/", "/a.b/..c/.d/e..", "/x;y=z/1", "/a%20b/%C3%BC", "/?a=//../;"])
def test_q05_paths_that_are_not_odd(gateway: Gateway, other_token: str, path: str) -> None:
    """What looks odd at first sight only, or in the query, reaches the API."""
    assert _try(gateway, other_token, path=path).status == 200


_BAD_CLAIMS: dict[str, dict[str, object]] = {
    "expired": {"iat": int(time.time()) - 100, "exp": int(time.time()) - 2},
    "no-expiry": {"exp": ...},
    "from-tomorrow": {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200},
    "issuer": {"iss": "http://127.0.0.1.example.com"},
    "audience": {"aud": "other-api"},
    "no-audience": {"aud": ...},
}
_BAD_FORMS = ["type", "algorithm-none", "algorithm-misnamed", "hmac-with-public-key", "signature", "garbage"]


def _bad_form(scene: Scene, kind: str, good: str) -> str:
    forge = scene.forge()
    claims = forge.claims(iss=scene.issuer)
    header, payload, signature = good.split(".")
    forms = {
        "type": forge.token(header=forge.header(typ="JWT"), claims=claims),
        "algorithm-none": (part(forge.header(alg="none")) + b"." + part(claims) + b".").decode(),
        "algorithm-misnamed": forge.token(header=forge.header(alg="HS256"), claims=claims),
        "hmac-with-public-key": _hmac_signed(scene, forge.header(alg="HS256"), claims),
        "signature": f"{header}.{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}",
        "garbage": "garbage",
    }
    return forms[kind]


def _hmac_signed(scene: Scene, header: dict[str, object], claims: dict[str, object]) -> str:
    message = part(header) + b"." + part(claims)
    key = scene.surroundings.key_file.read_bytes()
    return (message + b"." + base64url(hmac.digest(key, message, "sha256"))).decode()


@pytest.mark.parametrize("kind", _BAD_CLAIMS)
def test_bad_claims(gateway: Gateway, scene: Scene, kind: str) -> None:
    """Refused although signed, and nothing reaches the API."""
    forge = scene.forge()
    bad = forge.token(claims=forge.claims(**({"iss": scene.issuer} | _BAD_CLAIMS[kind])))
    _assert_refused(gateway, _try(gateway, bad), 'Bearer error="invalid_token"')


def test_e02_token_expires_with_its_last_second(gateway: Gateway, scene: Scene) -> None:
    """Good until exp (with Apache until a second later), refused from then on: whatever the gateway remembers of it."""
    forge = scene.forge()
    expires_at = int(time.time() + 1.5)
    token = forge.token(claims=forge.claims(iss=scene.issuer, exp=expires_at))
    ends_at = expires_at + (gateway.name == "apache")  # mod_oauth2 counts the second of exp as good
    with RawConnection(gateway.port) as connection:
        asked_at, tried = time.time(), _send(connection, "GET", "/things", [("Authorization", f"Bearer {token}")])
        while tried.status == 200:
            assert asked_at < ends_at
            time.sleep(0.05)
            asked_at, tried = time.time(), _send(connection, "GET", "/things", [("Authorization", f"Bearer {token}")])
    assert time.time() >= expires_at
    _assert_refused(gateway, tried, 'Bearer error="invalid_token"')


@pytest.mark.parametrize("kind", _BAD_FORMS)
def test_bad_form(gateway: Gateway, scene: Scene, token: str, kind: str) -> None:
    """Refused, and nothing reaches the API."""
    tried = _try(gateway, _bad_form(scene, kind, token))
    if gateway.name == "apache" and kind == "type":
        _assert_caller(tried, scene.application)  # mod_oauth2 does not look at typ, as docs/gateways.md says
        return
    _assert_refused(gateway, tried, 'Bearer error="invalid_token"')


@pytest.mark.parametrize(
    "credentials",
    ["Bearer a=.b.c", "Bearer token={token}", "Bearer  {token}", "Bearer {token} x", "Bearer", "Bearer \u00e9.b.c"],
)
def test_g02_header_that_is_no_token(gateway: Gateway, scene: Scene, token: str, credentials: str) -> None:
    """Refused, and the gateway goes on: the first of these ends an Apache whose mod_oauth2 sees it."""
    tried = _try(gateway, None, ("Authorization", credentials.format(token=token)))
    _assert_refused(gateway, tried, 'Bearer error="invalid_token"')
    _assert_caller(_try(gateway, token), scene.application, "devices:read devices:write")


def test_forged_good_token(gateway: Gateway, scene: Scene) -> None:
    """What the tests sign is refused for what is wrong with it: with nothing wrong, it passes."""
    forge = scene.forge()
    _assert_caller(_try(gateway, forge.token(claims=forge.claims(iss=scene.issuer))), scene.application)


def test_q13_two_authorization_headers(gateway: Gateway, token: str, other_token: str) -> None:
    """Denied, as two headers or as one: nobody chooses between them."""
    for headers in (
        [("Authorization", f"Bearer {token}"), ("authorization", f"Bearer {other_token}")],
        [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")],
        [("Authorization", f"Bearer {token}, Bearer {other_token}")],
    ):
        tried = _try(gateway, None, *headers)
        assert tried.api is None
        assert tried.status in ({400, 401} if gateway.name == "nginx" else {401})


def test_revoked_token(gateway: Gateway, scene: Scene) -> None:
    """Refused at once by the gateways that ask; the others take it until it expires, as docs/gateways.md says."""
    revoked = scene.service.token(scene.application)
    tried = _try(gateway, revoked)
    assert tried.status == 200
    with scene.service.registry.change("test") as change:
        revoke_token(change, tried.identity()["x-sensos-token-id"])
    tried = _try(gateway, revoked)
    if gateway.name in ASKS_SENSOS_AUTH:
        _assert_refused(gateway, tried, 'Bearer error="invalid_token"')
    else:
        assert tried.status == 200


def test_scope_of_a_path(gateway: Gateway, scene: Scene, token: str, other_token: str) -> None:
    """403 in the contract's words for a token without it; no token is still a 401."""
    _assert_caller(_try(gateway, token, path="/devices/1"), scene.application, "devices:read devices:write")
    forge = scene.forge()
    alone = forge.token(claims=forge.claims(iss=scene.issuer, scope="devices:read"))
    _assert_caller(_try(gateway, alone, path="/devices"), scene.application, "devices:read")
    near = forge.token(claims=forge.claims(iss=scene.issuer, scope="devices:reader adevices:read"))
    for bad in (other_token, near):
        tried = _try(gateway, bad, path="/devices/1")
        assert (tried.status, tried.api) == (403, None)
        assert tried.answer.header("content-type") == "application/json"
        assert json.loads(tried.answer.body)["error"] == "Forbidden"
        challenge = 'Bearer error="insufficient_scope", scope="devices:read"'
        assert tried.answer.header("www-authenticate") == challenge
        assert _try(gateway, bad, path="/devices/1?scope=x").status == 403  # the client's query is none of the question
    _assert_refused(gateway, _try(gateway, None, path="/devices/1"), "Bearer")


@pytest.mark.parametrize(
    "spoofed",
    [
        pytest.param([(name, "evil") for name in _IDENTITY], id="lower-case"),
        pytest.param([(name.upper(), "evil") for name in _IDENTITY], id="upper-case"),
        pytest.param([(name.title(), "evil") for name in _IDENTITY for _ in range(3)], id="three-times"),
        pytest.param([(name.title(), "") for name in _IDENTITY], id="empty"),
        pytest.param([(name.replace("-", "_"), "evil") for name in _IDENTITY], id="underscores"),
        pytest.param([("X-Sensos_Tenant-Id", "evil"), ("X_Sensos-Scope", "evil")], id="some-underscores"),
        pytest.param([("X.Sensos.Tenant.Id", "evil"), ("X-Sensos.Scope", "evil")], id="dots"),
    ],
)
def test_q01_spoofed_identity(
    gateway: Gateway, other: ExampleApplication, other_token: str, spoofed: list[tuple[str, str]]
) -> None:
    """Nothing that a client sends under our names reaches the API, in whatever spelling, nor lets him in."""
    tried = _try(gateway, other_token, *spoofed)
    is_misspelt = any("_" in name or "." in name for name, _ in spoofed)
    if gateway.name == "apache" and is_misspelt:
        assert (tried.status, tried.api) == (400, None)
    else:
        _assert_caller(tried, other)
        _assert_refused(gateway, _try(gateway, None, *spoofed), "Bearer")


@pytest.mark.parametrize(
    "named",
    ["X-Sensos-Tenant-Id", "x-sensos-scope, X-SENSOS-APPLICATION-ID, close", "Authorization", "X-Forwarded-For"],
)
def test_q03_connection_names_a_header(gateway: Gateway, scene: Scene, token: str, named: str) -> None:
    """Takes no identity away: the API gets all of it, or the client is refused. And it gets no such Connection."""
    tried = _try(gateway, token, ("Connection", named))
    if tried.status != 401 or named != "Authorization":
        _assert_caller(tried, scene.application, "devices:read devices:write")
        assert not [value for value in tried.headers("connection") if "sensos" in value.lower()]
    _assert_refused(gateway, _try(gateway, None, ("Connection", named)), "Bearer")


def test_q07_body(gateway: Gateway, scene: Scene, token: str) -> None:
    """A megabyte reaches the API whole, and none of it Sensos Auth."""
    before = len(scene.relay.sent_to_service)
    with RawConnection(gateway.port) as connection:
        tried = _send(connection, "POST", "/things", [("Authorization", f"Bearer {token}")], b"\xfe" * 1_000_000)
    _assert_caller(tried, scene.application, "devices:read devices:write")
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
            first = _send(connection, "GET", "/things", [("Authorization", f"Bearer {token}")])
            _assert_caller(first, scene.application, "devices:read devices:write")
            second = _send(connection, "GET", "/things", [("Authorization", f"Bearer {other_token}")])
            _assert_caller(second, other)
            _assert_refused(gateway, _send(connection, "GET", "/things", []), "Bearer")


def test_q08_sensos_auth_is_down(gateway: Gateway, scene: Scene, token: str) -> None:
    """Who asks lets nobody in, and says 503; who verifies by himself goes on. Afterwards, all is as before."""
    if gateway.name not in ASKS_SENSOS_AUTH:
        assert _try(gateway, token).status == 200  # Apache has the keys by now
    scene.relay.stop()
    try:
        tried, without = _try(gateway, token), _try(gateway, None)
    finally:
        scene.relay.start()
    if gateway.name in ASKS_SENSOS_AUTH:
        for refused in (tried, without):
            assert (refused.status, refused.api) == (503, None)
            assert refused.answer.header("retry-after") == "2"
            assert refused.answer.header("content-type") == "application/json"
            assert json.loads(refused.answer.body)["error"] == "Service Unavailable"
    else:
        _assert_caller(tried, scene.application, "devices:read devices:write")
        _assert_refused(gateway, without, "Bearer")
    _assert_caller(_try(gateway, token), scene.application, "devices:read devices:write")


def test_what_the_gateway_asks_is_none_of_its_clients(gateway: Gateway, scene: Scene, token: str) -> None:
    """A path of the gateway's own, or of Sensos Auth, is a path of the API or of nobody."""
    for path in ("/_sensos/verify", "/_sensos/verify/devices:read", "/v1/verify"):
        tried = _try(gateway, token, path=path)
        assert not [name for name, _ in tried.answer.headers if name.startswith("x-sensos")]
        if gateway.name == "nginx" and path.startswith("/_sensos"):
            assert (tried.status, tried.api) == (404, None)
        else:
            _assert_caller(tried, scene.application, "devices:read devices:write")
        _assert_refused_or_missing(_try(gateway, None, path=path))


def _assert_refused_or_missing(tried: Tried) -> None:
    assert tried.api is None
    assert tried.status in {401, 404}


def test_connections_to_sensos_auth_are_kept(gateway: Gateway, scene: Scene, token: str) -> None:
    """Twenty requests need no twenty connections to Sensos Auth."""
    _try(gateway, token)
    before = scene.relay.connections
    for _ in range(20):
        assert _try(gateway, token).status == 200
    assert scene.relay.connections - before <= 2


def test_no_word_of_the_token_in_the_gateways_output(gateway: Gateway, token: str) -> None:
    """Neither of a good token nor of a bad one."""
    _try(gateway, token)
    _try(gateway, f"{token}x")
    output = gateway.log_file.read_text()
    assert token.split(".")[2] not in output


def test_haproxy_with_two_keys(scene: Scene, token: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One line for each key: a token of either passes, whatever the order of the lines."""
    if reason := why_not("haproxy"):
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("two-keys")
    other_key = folder / "other.pem"
    other_key.write_text(public_pem(new_key_pair("ES256").public_jwk))
    line = f'    acl signed var(txn.token),jwt_verify(ES256,"{other_key}") -m int 1\n'
    surroundings = scene.surroundings
    for number, (before, after) in enumerate(((line, ""), ("", line))):
        edits = [
            ("    acl signed", f"{before}    acl signed"),
            ("    acl access_token", f"{after}    acl access_token"),
        ]
        with running_gateway("haproxy", folder / str(number), surroundings, edits) as haproxy:
            _assert_caller(_try(haproxy, token), scene.application, "devices:read devices:write")
            _assert_refused(
                haproxy, _try(haproxy, _bad_form(scene, "signature", token)), 'Bearer error="invalid_token"'
            )
    with running_gateway("haproxy", folder / "alone", replace(surroundings, key_file=other_key)) as haproxy:
        _assert_refused(haproxy, _try(haproxy, token), 'Bearer error="invalid_token"')
