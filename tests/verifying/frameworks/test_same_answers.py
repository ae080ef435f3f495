"""Every framework gives the same answers: the catalogue's groups C, D, E, G, H and Q, against all examples."""

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import grpc
import pytest

from sensos_auth.registry.applications import disable_application
from sensos_auth.registry.secrets import revoke_secret
from tests.running_service import ExampleApplication, RunningService
from tests.server.forged_tokens import Forge
from tests.server.raw_http import RawConnection, request_bytes
from tests.verifying.frameworks.attack_tokens import ATTACKS, LARGE_ATTACKS
from tests.verifying.frameworks.breaking_tokens import BREAKING_TOKENS
from tests.verifying.frameworks.protected_services import (
    SCOPE,
    VERIFY_PATH,
    GrpcService,
    HttpService,
    ProtectedService,
    assert_refusal,
    websocket_status,
)
from tests.verifying.frameworks.running_examples import EXAMPLES, GRPC, HTTP

pytestmark = pytest.mark.timeout(180)  # with the start of all examples, which whoever comes first waits for

INVALID = ' error="invalid_token"'
OUR_OWN = ["verify", "example-api"]
EVERY_HTTP_SERVICE = [*HTTP, *OUR_OWN]
EVERY_SERVICE = [*EVERY_HTTP_SERVICE, *GRPC]
CLOSED = [name for name in HTTP if not EXAMPLES[name].closes_views_only]
WITHOUT_JOINING = [name for name in EVERY_SERVICE if name in OUR_OWN or not EXAMPLES[name].is_wsgi]
WSGI = [name for name in HTTP if EXAMPLES[name].is_wsgi]

on_every_service = pytest.mark.parametrize("name", EVERY_SERVICE)
on_every_http_service = pytest.mark.parametrize("name", EVERY_HTTP_SERVICE)
on_every_example = pytest.mark.parametrize("name", [*HTTP, *GRPC])
on_every_scoped_service = pytest.mark.parametrize("name", [*HTTP, *GRPC, "verify"])


@pytest.fixture(scope="module")
def attacks(forge: Forge) -> dict[str, str]:
    """Return the attacks' tokens: the same for every service."""
    return {name: make(forge) for name, make in ATTACKS.items()}


@on_every_service
def test_good_token_is_let_in(protected: ProtectedService, application: ExampleApplication, good: str) -> None:
    """A token from the service opens it, in any spelling of the scheme, and says who calls (H10)."""
    for value in (good, good.replace("Bearer", "bearer"), good.replace("Bearer", "BEARER")):
        assert application.application_id.encode() in protected.lets_in(value)


@on_every_scoped_service
def test_good_token_with_the_scope_is_let_in(
    protected: ProtectedService, application: ExampleApplication, good: str
) -> None:
    """The scope opens what needs it."""
    assert application.tenant_id.encode() in protected.lets_in(good, scoped=True)


@on_every_service
@pytest.mark.parametrize("group", sorted({attack[0] for attack in ATTACKS}))
def test_c_d_e_h_no_bad_token_is_let_in(protected: ProtectedService, attacks: dict[str, str], group: str) -> None:
    """Each gets the same 401, which says nothing of the cause."""
    for name, attack in attacks.items():
        if name[0] == group:
            try:
                protected.refuses(f"Bearer {attack}", challenge=INVALID)
            except BaseException as failure:
                failure.add_note(name)
                raise


@on_every_service
def test_h09_h11_own_token_of_these_attacks_is_good(protected: ProtectedService, forge: Forge) -> None:
    """What is refused above is refused for what was changed: unchanged, the forged token opens every service."""
    assert protected.lets_in(f"Bearer {forge.token()}")


@on_every_service
def test_g01_no_token(protected: ProtectedService) -> None:
    """The bare challenge: no error code where no token was shown (RFC 6750 section 3.1)."""
    protected.refuses()


@on_every_service
@pytest.mark.parametrize(
    "form",
    [
        pytest.param("Bearer", id="g02-alone"),
        pytest.param("Bearer  {}", id="g02-two-spaces"),
        pytest.param("Bearer {} {}", id="own-two-tokens"),
        pytest.param("Bearer {},{}", id="g05-comma"),
        pytest.param("Bearer {}, Bearer {}", id="q13-merged-by-a-proxy"),
        pytest.param("Bearer {};a=b", id="own-parameter"),
        pytest.param('Bearer "{}"', id="d20-quoted"),
        pytest.param('Bearer realm="x", token="{}"', id="own-challenge-like"),
        pytest.param("Bearer Bearer {}", id="d20-scheme-twice"),
        pytest.param("Bearer={}", id="own-equals"),
        pytest.param("Bearer,{}", id="own-comma-for-space"),
        pytest.param("Bearer {}%20", id="own-percent"),
        pytest.param("Bearer {}=", id="d13-padding"),
        pytest.param("Bearer undefined", id="own-undefined"),
        pytest.param("Bearer null", id="own-null"),
    ],
)
def test_g02_g05_bearer_and_what_is_no_token(protected: ProtectedService, token: str, form: str) -> None:
    """Exactly one space and one token follow; anything else was an attempt, and is invalid."""
    protected.refuses(form.replace("{}", token), challenge=INVALID)


@on_every_service
@pytest.mark.parametrize(
    "form", ["Basic {}", "Token {}", "JWT {}", "DPoP {}", "Bearers {}", "Bearer-Token {}", "Bearer: {}", "{}", "X {}"]
)
def test_g04_g12_other_schemes(protected: ProtectedService, token: str, form: str) -> None:
    """A good token under another scheme is no token at all."""
    protected.refuses(form.format(token))


@pytest.mark.parametrize("name", WITHOUT_JOINING)
@pytest.mark.parametrize("first", ["Bearer {}", "Bearer x", "Basic eDp5"])
@pytest.mark.parametrize("second", ["Bearer {}", "Bearer x", "Basic eDp5"])
def test_g05_two_authorization_headers(protected: ProtectedService, token: str, first: str, second: str) -> None:
    """Neither the first nor the last wins, not even when they say the same."""
    protected.refuses(first.format(token), second.format(token), challenge=INVALID)


@pytest.mark.parametrize("name", WSGI)
@pytest.mark.parametrize("first", ["Bearer {}", "Bearer x", "Basic eDp5"])
@pytest.mark.parametrize("second", ["Bearer {}", "Bearer x", "Basic eDp5"])
def test_g05_two_authorization_headers_that_come_joined(
    protected: ProtectedService, token: str, first: str, second: str
) -> None:
    """As above, but where headers come joined by a comma, the first scheme decides which 401 it is."""
    challenge = INVALID if first.startswith("Bearer") else ""
    protected.refuses(first.format(token), second.format(token), challenge=challenge)


@on_every_http_service
def test_g07_token_elsewhere_in_the_request(http: HttpService, token: str) -> None:
    """Query, form, JSON body and cookie are not looked at."""
    path = http.path
    for query in (f"access_token={token}", f"token={token}", f"Authorization=Bearer%20{token}"):
        if path != VERIFY_PATH:  # which takes no other query than a scope's
            assert_refusal(http.get(path=f"{path}?{query}"), 401, "")
    assert_refusal(http.get(("Cookie", f"access_token={token}; Authorization=Bearer {token}")), 401, "")
    for content_type, body in (
        ("application/x-www-form-urlencoded", f"access_token={token}"),
        ("application/json", f'{{"accessToken":"{token}"}}'),
    ):
        assert_refusal(http.ask(request_bytes("GET", path, [("Content-Type", content_type)], body.encode())), 401, "")


@on_every_http_service
@pytest.mark.parametrize(
    "header",
    [
        *("Proxy-Authorization", "X-Authorization", "X-Forwarded-Authorization", "X-Access-Token", "X-API-Key"),
        *("Authorisation", "HTTP_AUTHORIZATION", "HTTP-AUTHORIZATION", "Authorization_", "Redirect-HTTP-Authorization"),
        *("REDIRECT_HTTP_AUTHORIZATION", "Sec-WebSocket-Protocol", "sensos_auth.caller", "X-Sensos-Application-Id"),
    ],
)
def test_g11_q01_other_headers(http: HttpService, good: str, header: str) -> None:
    """Headers that look like the right one, or like what a middleware or a gateway adds, open nothing."""
    assert_refusal(http.get((header, good)), 401, "")


@on_every_http_service
def test_c29_d22_g09_large_values(http: HttpService, forge: Forge, token: str) -> None:
    """The contract's 401, or what the HTTP server has for headers that are too large; at once, and never a pass."""
    started = time.monotonic()
    assert_refusal(http.get(("Authorization", f"Bearer {token}{'A' * (8_000 - len(token))}")), 401, INVALID)
    for large in ("a" * 65_536, *(make(forge) for make in LARGE_ATTACKS.values())):
        with RawConnection(http.port) as connection:
            connection.send(request_bytes("GET", http.path, [("Authorization", f"Bearer {large}")]))
            answer = connection.read_answer()
        if answer is not None and answer.status == 401:
            assert_refusal(answer, 401, INVALID)
        else:
            assert answer is None or answer.status in {400, 431}
    assert time.monotonic() - started < 1


@pytest.mark.parametrize("name", GRPC)
def test_g09_large_values_over_grpc(protected: ProtectedService, token: str) -> None:
    """Metadata beyond gRPC's own limit (8 KiB soft) never reach the service."""
    with pytest.raises(grpc.RpcError) as refused:
        protected.lets_in(f"Bearer {token}{'A' * 65_536}")
    assert cast("grpc.Call", refused.value).code() in {
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAUTHENTICATED,
    }


@on_every_http_service
@pytest.mark.parametrize("character", ["\xff", "\xa0", "\xe9", "\xe2\x80\x8b"], ids=repr)
def test_d21_g10_characters_beyond_ascii(http: HttpService, name: str, token: str, character: str) -> None:
    """Refused as an invalid token; one server gives WSGI applications an empty value instead, and so as none."""
    answer = http.get(("Authorization", f"Bearer {token}{character}"))
    is_hidden = name in WSGI and answer.header("www-authenticate") == "Bearer"
    assert_refusal(answer, 401, "" if is_hidden else INVALID)


@on_every_http_service
@pytest.mark.parametrize("character", ["\0", "\r", "\n", "\x01", "\x7f"], ids=repr)
def test_d15_g10_control_characters(http: HttpService, token: str, character: str) -> None:
    """The HTTP server refuses the request, or the adapter does."""
    with RawConnection(http.port) as connection:
        connection.send(
            request_bytes("GET", http.path, [("Authorization", f"Bearer {token[:20]}{character}{token[20:]}")])
        )
        answer = connection.read_answer()
    assert answer is None or answer.status in {400, 401}


METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "PURGE"]


PATHS = [
    *("/v1/whoami", "/v1/vehicles", "/v1/whoami/", "/", "/nothing", "/static/x", "/schema", "/docs", "/favicon.ico"),
    *("//v1/whoami", "/v1/./whoami", "/v1/../v1/whoami", "/v1/%2e%2e/v1/whoami", "/v1/whoami%00", "/v1/whoami;x"),
    *("/V1/WHOAMI", "/v1/who%61mi", "/v1%2fwhoami", "/v1/whoami?x=/healthz", "/healthz/../v1/whoami", "/%ff"),
]


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("method", METHODS)
def test_g14_g15_b16_every_method_and_path_of_a_closed_application(http: HttpService, method: str) -> None:
    """401 before anything else: before 404, before 405, for every spelling of a path."""
    for path in PATHS:
        assert_refusal(http.get(path=path, method=method), 401, "", is_head=method == "HEAD")


@pytest.mark.parametrize("name", [name for name in HTTP if name not in CLOSED])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/v1/whoami", "/v1/vehicles"])
def test_g14_every_method_of_a_closed_view(http: HttpService, name: str, method: str, path: str) -> None:
    """Where endpoints are closed one by one, no method opens one; FastAPI says 405 itself to those it has not."""
    answer = http.get(path=path, method=method)
    if name == "fastapi" and method != "GET":
        assert answer.status == 405
    else:
        assert_refusal(answer, 401, "", is_head=method == "HEAD")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["verify"])
def test_q06_every_original_method_at_the_gateways_endpoint(http: HttpService, good: str, method: str) -> None:
    """A gateway may pass on its client's method: each needs a token, and each gets its answer."""
    assert_refusal(http.get(method=method), 401, "", is_head=method == "HEAD")
    assert http.get(("Authorization", good), method=method).status == 200


@pytest.mark.parametrize("name", HTTP)
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PURGE"])
def test_g14_other_methods_with_a_token_get_the_frameworks_answer(http: HttpService, good: str, method: str) -> None:
    """With a token the framework decides, and never breaks."""
    assert http.get(("Authorization", good), method=method).status in {200, 204, 405, 501}


@pytest.mark.parametrize(
    ("name", "document_path", "scopes"),
    [("fastapi", "/openapi.json", [SCOPE]), ("litestar", "/schema/openapi.json", [])],
)
def test_g15_every_operation_that_openapi_tells_of(
    http: HttpService, good: str, document_path: str, scopes: list[str]
) -> None:
    """Each says that it needs a token, and does; where OpenAPI can say so, also which scopes."""
    document = json.loads(http.get(("Authorization", good), path=document_path).body)
    assert set(document["paths"]) == {http.path, http.scoped_path}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            needed = scopes if path == http.scoped_path else []
            assert operation.get("security", document.get("security")) == [{"bearerAuth": needed}]
            assert_refusal(http.get(path=path, method=method.upper()), 401, "")


@pytest.mark.parametrize("name", GRPC)
def test_g15_unknown_method_of_a_grpc_service(services: dict[str, HttpService | GrpcService], name: str) -> None:
    """UNAUTHENTICATED before UNIMPLEMENTED."""
    service = services[name]
    assert isinstance(service, GrpcService)
    service.refuses_method("Nothing")


@pytest.mark.parametrize("name", HTTP)
def test_g15_websockets_do_not_open(http: HttpService, good: str) -> None:
    """Neither without a token nor with a good one."""
    assert not websocket_status(http).startswith(b"HTTP/1.1 101")
    assert not websocket_status(http, ("Authorization", good)).startswith(b"HTTP/1.1 101")


@on_every_example
@pytest.mark.parametrize("broken", BREAKING_TOKENS)
def test_g16_f06_no_keys_and_defects(protected: ProtectedService, broken: str) -> None:
    """503, and neither a refusal nor a pass, whatever breaks on the way."""
    protected.refuses(f"Bearer {broken}", status=503)
    protected.refuses(f"Bearer {broken}", status=503, scoped=True)


@on_every_scoped_service
@pytest.mark.parametrize(
    "scope", [..., "vehicles", "vehicles:rea", "vehicles:read-all", "vehicles:READ", "read", "other vehicles:write"]
)
def test_e23_scopes_are_compared_whole(protected: ProtectedService, forge: Forge, scope: object) -> None:
    """A good token without the very scope is let in where none is needed, and gets 403 where it is."""
    bearer = f"Bearer {forge.token(None, forge.claims(scope=scope))}"
    assert protected.lets_in(bearer)
    protected.refuses(bearer, status=403, challenge=f' error="insufficient_scope", scope="{SCOPE}"', scoped=True)


@on_every_scoped_service
def test_e23_scope_among_others(protected: ProtectedService, forge: Forge) -> None:
    """The scope counts wherever it stands among others."""
    assert protected.lets_in(f"Bearer {forge.token(None, forge.claims(scope=f'a {SCOPE} b'))}", scoped=True)


@pytest.mark.parametrize("name", HTTP)
def test_h02_the_tenant_is_the_tokens(
    http: HttpService, issuer: RunningService, application: ExampleApplication
) -> None:
    """Whatever tenant a request names elsewhere, the caller is who the token was issued to."""
    other = issuer.new_application(scope=SCOPE)
    request = request_bytes(
        "GET",
        f"{http.path}?tenantId={application.tenant_id}",
        [
            ("Authorization", f"Bearer {issuer.token(other)}"),
            ("X-Sensos-Tenant-Id", application.tenant_id),
            ("X-Tenant-Id", application.tenant_id),
            ("Cookie", f"tenantId={application.tenant_id}"),
            ("Connection", "close"),
        ],
    )
    with socket.create_connection(("127.0.0.1", http.port), 5) as connection, connection.makefile("rb") as answers:
        connection.sendall(request)
        answer = answers.read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert other.tenant_id.encode() in answer
    assert application.tenant_id.encode() not in answer


@on_every_service
def test_own_callers_do_not_mix(protected: ProtectedService, issuer: RunningService, good: str) -> None:
    """Who calls is asked anew for each request, also at once: nobody inherits the caller of another one."""
    other = issuer.new_application()
    bearer = f"Bearer {issuer.token(other)}"

    def ask(_: int) -> None:
        assert other.application_id.encode() not in protected.lets_in(good)
        assert other.application_id.encode() in protected.lets_in(bearer)
        protected.refuses()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(ask, range(8)))


@on_every_http_service
@pytest.mark.parametrize(
    "header",
    [
        ("X-Original-URL", "/healthz"),
        ("X-Rewrite-URL", "/healthz"),
        ("X-Forwarded-Uri", "/healthz"),
        ("X-Forwarded-Method", "OPTIONS"),
        ("X-HTTP-Method-Override", "OPTIONS"),
        ("X-Forwarded-Host", "localhost"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Remote-User", "admin"),
        ("Remote-User", "admin"),
        ("Connection", "Authorization"),
        ("Accept", "text/html, */*;q=0.1"),
        ("Origin", "https://evil.example"),
        ("Access-Control-Request-Method", "GET"),
    ],
)
def test_q03_q04_q05_headers_that_change_the_request_elsewhere(http: HttpService, header: tuple[str, str]) -> None:
    """None of them is an exception from the check, or changes the answer."""
    assert_refusal(http.get(header), 401, "")


@on_every_http_service
def test_q09_refusals_set_no_cookies_and_tell_of_no_token(http: HttpService, attacks: dict[str, str]) -> None:
    """A refusal carries nothing to keep, and nothing of what was sent."""
    sent = attacks["e02-expired"]
    answer = http.get(("Authorization", f"Bearer {sent}"))
    everything = repr(answer.headers) + answer.body.decode()
    assert not re.search("set-cookie|etag|last-modified|expires", everything)
    assert not any(part in everything for part in sent.split("."))


def test_d24_e27_what_is_revoked_is_refused_everywhere(
    services: dict[str, HttpService | GrpcService], issuer: RunningService
) -> None:
    """A token that every service knows and has let in is refused by all of them soon, and no other is.

    How soon is for the benchmarks to measure: here a loaded machine may take its time.
    """
    revoked, disabled, untouched = (issuer.new_application(scope=SCOPE) for _ in range(3))
    bearers = {application: f"Bearer {issuer.token(application)}" for application in (revoked, disabled, untouched)}
    for service in services.values():
        for bearer in bearers.values():
            assert service.lets_in(bearer)
    with issuer.registry.change("test") as change:
        revoke_secret(change, revoked.secret_id, with_tokens=True)
        disable_application(change, disabled.application_id)
    give_up_at = time.monotonic() + 10
    for service in services.values():
        while True:
            try:
                service.refuses(bearers[disabled], challenge=INVALID)
                break
            except BaseException:  # pytest's own among them
                if time.monotonic() > give_up_at:
                    raise
                time.sleep(0.05)
        service.refuses(bearers[revoked], challenge=INVALID)
        assert service.lets_in(bearers[untouched])
