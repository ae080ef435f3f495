"""/v1/verify, as a gateway asks it."""

import time
from pathlib import Path

import apsw
import pytest

from sensos_auth.registry.signing_keys import list_signing_keys, mark_signing_key_revoked
from sensos_auth.server.verify_endpoint import PATH
from tests.running_service import ExampleApplication, RunningService, running_service
from tests.server.contract import (
    INVALID_TOKEN,
    ask,
    assert_error,
    assert_invalid_token,
    assert_missing_token,
    error_body,
)
from tests.server.forged_tokens import Forge
from tests.server.raw_http import RawConnection, exchange, request_bytes

pytestmark = pytest.mark.engines("sqlite", "postgresql")

_METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "PURGE",
    "QUERY",
    "M-SEARCH",
)
_BAD_QUERY = "the query may hold nothing but one scope, as in ?scope=devices:read%20devices:write"


@pytest.fixture(scope="module")
def token(service: RunningService, application: ExampleApplication) -> str:
    """Return a good token, with the scopes devices:read and devices:write."""
    return service.token(application)


def _request(token: str, *, query: str = "", method: str = "GET") -> bytes:
    return request_bytes(method, PATH + query, [("Authorization", f"Bearer {token}")])


@pytest.mark.parametrize("method", _METHODS)
def test_q06_good_token(service: RunningService, application: ExampleApplication, token: str, method: str) -> None:
    """Whatever the method: 200, empty, the caller in the headers, kept by no cache (Q09)."""
    answer = ask(service, _request(token, method=method), method=method).answer
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("content-length") == "0"
    assert answer.header("x-sensos-tenant-id") == application.tenant_id
    assert answer.header("x-sensos-application-id") == application.application_id
    assert answer.header("x-sensos-scope") == "devices:read devices:write"
    assert len(answer.header("x-sensos-token-id") or "") == 22
    assert answer.header("cache-control") == "no-store"
    assert answer.header("vary") == "authorization"
    assert {name for name, _ in answer.headers} & {"etag", "expires", "last-modified", "content-type"} == set()


@pytest.mark.parametrize("method", [method for method in _METHODS if method != "HEAD"])
def test_q06_no_token(service: RunningService, method: str) -> None:
    """Whatever the method: the contract's 401, OPTIONS too, and none of the identity headers."""
    answer = assert_missing_token(ask(service, request_bytes(method, PATH), method=method).answer)
    assert not [name for name, _ in answer.headers if name.startswith("x-sensos")]


def test_q01_application_without_scopes(service: RunningService) -> None:
    """The header is there, and empty: a gateway that copies it overwrites what its client sent."""
    answer = ask(service, _request(service.token(service.new_application()))).answer
    assert answer is not None
    assert [value for name, value in answer.headers if name == "x-sensos-scope"] == [""]


def test_q01_identity_headers_of_the_request(service: RunningService, application: ExampleApplication) -> None:
    """They count for nothing: neither in place of a token nor beside one."""
    spoofed: list[tuple[str | bytes, str | bytes]] = [("X-Sensos-Tenant-Id", "ten_other"), ("X-Sensos-Scope", "admin")]
    assert_missing_token(ask(service, request_bytes("GET", PATH, spoofed)).answer)
    authorization = ("Authorization", f"Bearer {service.token(application)}")
    answer = ask(service, request_bytes("GET", PATH, [*spoofed, authorization])).answer
    assert answer is not None
    assert answer.header("x-sensos-tenant-id") == application.tenant_id


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(["Bearer {}", "Bearer {}"], id="two"),
        pytest.param(["Bearer {}, Bearer {}"], id="q13-merged"),
        pytest.param(["Bearer {}x"], id="wrong-signature"),
        pytest.param(["Bearer"], id="empty"),
    ],
)
def test_bad_token(service: RunningService, token: str, headers: list[str]) -> None:
    """The contract's 401 to a token that is not good."""
    sent: list[tuple[str | bytes, str | bytes]] = [("Authorization", header.replace("{}", token)) for header in headers]
    assert_invalid_token(ask(service, request_bytes("GET", PATH, sent)).answer)


def test_e02_expired(service: RunningService, application: ExampleApplication) -> None:
    """Refused, although the signature is right."""
    forge = Forge(service, application)
    now = int(time.time())
    assert_invalid_token(ask(service, _request(forge.token(claims=forge.claims(iat=now - 60, exp=now - 1)))).answer)


@pytest.mark.parametrize("claim", ["tenant_id", "client_id", "jti", "scope"])
@pytest.mark.parametrize("value", ["a\r\nX-Admin: 1", "a\nb", "a\x00", "tätig", "a\x7f"])
def test_q10_claims_that_would_break_a_header(
    service: RunningService, application: ExampleApplication, claim: str, value: str
) -> None:
    """Even signed by the service itself, they become no header: the token is refused."""
    forge = Forge(service, application)
    changes = {claim: value} | ({"sub": value} if claim == "client_id" else {})
    assert_invalid_token(ask(service, _request(forge.token(claims=forge.claims(**changes)))).answer)


@pytest.mark.parametrize(
    "query",
    [
        "?scope=devices:read",
        "?scope=devices%3Aread%20devices:write",
        "?scope=devices:write+devices:read",
        "?scope=%20devices:read%20%20",
        "?",
    ],
)
def test_scope_that_the_token_has(service: RunningService, token: str, query: str) -> None:
    """Let through: every name counts, their order and further spaces do not."""
    answer = ask(service, _request(token, query=query)).answer
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("?scope=admin", "admin"),
        ("?scope=devices:read%20admin", "devices:read admin"),
        ("?scope=devices:rea", "devices:rea"),
        ("?scope=Devices:read", "Devices:read"),
        ("?scope=devices:read,devices:write", "devices:read,devices:write"),
        ("?scope=devices:read%2Bdevices:write", "devices:read+devices:write"),
    ],
)
def test_scope_that_the_token_lacks(service: RunningService, token: str, query: str, told: str) -> None:
    """403 that names the scopes needed (RFC 6750 section 3.1)."""
    answer = ask(service, _request(token, query=query)).answer
    assert answer is not None
    assert answer.status == 403
    assert b'"error":"Forbidden"' in answer.body
    assert answer.header("www-authenticate") == f'Bearer error="insufficient_scope", scope="{told}"'


@pytest.mark.parametrize(
    "query",
    [
        "?scope",
        "?scope=",
        "?scope=%20",
        "?scopes=devices:read",
        "?Scope=devices:read",
        "?scope=devices:read&scope=devices:write",
        "?scope=devices:read&",
        "?scope=devices:read&x=1",
        "?scope=devices:read%zz",
        "?scope=devices:read%2",
        "?scope=a=b",
        "?x=1",
    ],
)
def test_query_that_is_not_one_scope(service: RunningService, token: str, query: str) -> None:
    """400, good token or not: a gateway with a misspelt scope must not let everybody in."""
    assert_error(ask(service, _request(token, query=query)).answer, 400, _BAD_QUERY)
    assert_error(ask(service, request_bytes("GET", PATH + query)).answer, 400, _BAD_QUERY)


@pytest.mark.parametrize("query", ["?scope=%22", "?scope=%5C", "?scope=%0d%0a", "?scope=%C3%A4", "?scope=%00"])
def test_scope_that_is_none(service: RunningService, token: str, query: str) -> None:
    """400, and what was sent is not repeated."""
    message = "a scope is names separated by spaces, in printable ASCII without quotation marks and backslashes"
    assert_error(ask(service, _request(token, query=query)).answer, 400, message)


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_q07_body_that_never_comes(service: RunningService, token: str, framing: str) -> None:
    """Not waited for: the answer is there at once, to a good token and to none."""
    for authorization, status in ((f"Authorization: Bearer {token}\r\n", 200), ("", 401)):
        with RawConnection(service.port) as connection:
            connection.send(f"POST {PATH} HTTP/1.1\r\nHost: a\r\n{authorization}{framing}\r\n\r\n".encode())
            answer = connection.read_answer(patience=1.0)
        assert answer is not None
        assert answer.status == status


@pytest.mark.parametrize("size", [1, 10_000, 1_000_000])
def test_q07_body_that_comes(service: RunningService, token: str, size: int) -> None:
    """Ignored, whatever is in it: the answer says that the connection ends, and none of it is taken for a request."""
    body = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".ljust(size)[:size]
    for authorization, status in (([("Authorization", f"Bearer {token}")], 200), ([], 401)):
        headers: list[tuple[str | bytes, str | bytes]] = [*authorization]
        with RawConnection(service.port) as connection:
            connection.send(request_bytes("POST", PATH, headers, body))
            answer = connection.read_answer()
            assert answer is not None
            assert (answer.status, answer.header("connection")) == (status, "close")
            assert connection.is_closed()


def test_kept_connection(service: RunningService, token: str) -> None:
    """Without a body, as gateways ask, one connection serves many requests; Content-Length: 0 is no body."""
    with RawConnection(service.port) as connection:
        for _ in range(3):
            connection.send(_request(token))
            answer = connection.read_answer()
            assert answer is not None
            assert (answer.status, answer.header("connection")) == (200, None)
            connection.send(request_bytes("POST", PATH, [("Content-Length", "0")]))
            assert assert_missing_token(connection.read_answer()).header("connection") is None


def test_q05_other_spellings_of_the_path(service: RunningService, token: str) -> None:
    """Another path is another path: nothing is decoded or folded, and nothing there says 200."""
    for path in ("/v1/verify/", "/v1//verify", "/v1/./verify", "/v1/x/../verify", "/V1/verify", "/v1/verify;a"):
        answer = ask(service, request_bytes("GET", path, [("Authorization", f"Bearer {token}")])).answer
        assert answer is not None
        assert answer.status == 404


def test_q04_forwarded_headers(service: RunningService) -> None:
    """What they say of the client's request changes nothing."""
    headers: list[tuple[str | bytes, str | bytes]] = [
        ("X-Forwarded-Uri", "/healthz"),
        ("X-Forwarded-Method", "OPTIONS"),
        ("X-Original-URL", "/healthz"),
        ("X-Rewrite-URL", "/healthz"),
    ]
    assert_missing_token(ask(service, request_bytes("GET", PATH, headers)).answer)


def test_q08_no_keys(tmp_path: Path) -> None:
    """503 with Retry-After, and no identity, when keys can't be read or none is published: neither a yes nor a no."""
    with running_service(tmp_path / "data", at_once=True) as service:
        token = service.token(service.new_application())
        assert service.client.get(PATH, headers={"Authorization": f"Bearer {token}"}).status_code == 200
        with apsw.Connection(str(service.registry_file)) as connection:
            connection.execute("ALTER TABLE clock RENAME TO elsewhere")
        unreadable = exchange(service.port, _request(token)).answer
        with apsw.Connection(str(service.registry_file)) as connection:
            connection.execute("ALTER TABLE elsewhere RENAME TO clock")
        with service.registry.change("test") as change:
            for key in list_signing_keys(change):
                mark_signing_key_revoked(change, key.kid)
        none_left = exchange(service.port, _request(token)).answer
    for given in (unreadable, none_left):
        answer = assert_error(given, 503, "Access tokens cannot be verified right now: try again later")
        assert answer.header("retry-after") == "2"
        assert not [name for name, _ in answer.headers if name.startswith("x-sensos")]


def test_refusal_repeats_nothing(service: RunningService) -> None:
    """The body is the contract's, to the byte."""
    answer = service.client.get(PATH, headers={"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."})
    assert answer.content == error_body(401, INVALID_TOKEN)
