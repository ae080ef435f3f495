"""The catalogue's group B: HTTP/1.1 used wrongly. What the HTTP server refuses itself gets a bare answer."""

import gzip
import json
import time

import pytest

from tests.running_service import ENDPOINT_PATH, JWKS_PATH, TOKEN_PATH, ExampleApplication, RunningService
from tests.server.contract import (
    BADLY_FRAMED,
    JSON_TYPE,
    TOO_LARGE,
    WRONG_TYPE,
    ask,
    ask_for_token,
    assert_bare_refusal,
    assert_error,
    assert_missing_token,
    token_body,
)
from tests.server.raw_http import RawConnection, exchange, request_bytes

GET_PATHS = ["/healthz", "/readyz", JWKS_PATH, ENDPOINT_PATH, "/openapi.json", "/docs"]
NOTHING_HERE = "There is nothing at this path"
CHUNKED: tuple[str | bytes, str | bytes] = ("Transfer-Encoding", "chunked")


def _chunks(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + end


def _framed(application: ExampleApplication, *headers: tuple[str | bytes, str | bytes], body: bytes = b"") -> bytes:
    """Return a token request framed as told; its body is the good one, in one chunk, unless another is given."""
    return request_bytes("POST", TOKEN_PATH, [JSON_TYPE, *headers], body or _chunks(token_body(application)))


@pytest.mark.parametrize(
    "method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "BREW", "post", "POSTS", "QUERY"]
)
def test_b01_token_path_answers_post_only(service: RunningService, method: str) -> None:
    """405 with Allow; nothing of the request comes back, not even by TRACE."""
    request = request_bytes(method, TOKEN_PATH, [("X-Canary", "canary-4711"), ("Cookie", "canary-4711")])
    answer = assert_error(ask(service, request).answer, 405, "This path answers POST only")
    assert answer.header("allow") == "POST"
    assert "canary-4711" not in str(answer)


def test_b01_head_of_the_token_path(service: RunningService) -> None:
    """405 as for GET, without a body."""
    answer = ask(service, request_bytes("HEAD", TOKEN_PATH), method="HEAD").answer
    assert answer is not None
    assert (answer.status, answer.header("allow"), answer.body) == (405, "POST", b"")


@pytest.mark.parametrize("path", GET_PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "get", "PROPFIND"])
def test_b01_paths_that_are_read_only(service: RunningService, method: str, path: str) -> None:
    """405 with Allow, on the protected path as well: nobody is let through to learn that."""
    answer = assert_error(ask(service, request_bytes(method, path)).answer, 405, "This path answers GET, HEAD only")
    assert answer.header("allow") == "GET, HEAD"


@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param("text/plain", id="b02-text"),
        pytest.param("multipart/form-data; boundary=x", id="b02-multipart"),
        pytest.param("application/x-www-form-urlencoded", id="b02-form"),
        pytest.param("application/xml", id="b02-xml"),
        pytest.param("", id="b02-empty"),
        pytest.param("text/plain; application/json", id="b02-in-a-parameter"),
        pytest.param("application/json, text/plain", id="b02-list"),
        pytest.param("application/json; charset=utf-16", id="b03-utf-16"),
        pytest.param("application/json; charset=latin-1", id="b03-latin-1"),
        pytest.param("application/json; charset=", id="b03-empty"),
        pytest.param("application/json; " + "a" * 60_000, id="b04-long-parameter"),
        pytest.param("application/json" + " ;" * 30_000, id="b04-many-parameters"),
        pytest.param("application/json" + " " * 60_000 + "x", id="b04-spaces"),
        pytest.param('application/json; charset="' + "\\" * 60_000, id="b04-quoted"),
        pytest.param("application/jsonp", id="own-jsonp"),
        pytest.param("application/problem+json", id="own-problem"),
        pytest.param("application/json-patch+json", id="own-patch"),
        pytest.param("text/json", id="own-text-json"),
        pytest.param("json", id="own-json"),
        pytest.param("*/*", id="own-any"),
        pytest.param("application/json\xa0", id="own-latin-1-space"),
    ],
)
def test_b02_b03_b04_other_content_types(
    service: RunningService, application: ExampleApplication, content_type: str
) -> None:
    """415, however good the body is, and however long the header."""
    exchanged = ask_for_token(service, token_body(application), [("Content-Type", content_type)])
    assert_error(exchanged.answer, 415, WRONG_TYPE)


def test_b02_no_content_type(service: RunningService, application: ExampleApplication) -> None:
    """415."""
    assert_error(ask_for_token(service, token_body(application), []).answer, 415, WRONG_TYPE)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        "application/json; charset=UTF-8",
        'application/json ;\tcharset="utf-8" ',
        "application/json;",
        "application/json; charset=utf8",
        'application/json; profile="https://example.com/p"; charset=utf-8; v=1',
    ],
)
def test_b02_every_spelling_of_the_right_type(
    service: RunningService, application: ExampleApplication, content_type: str
) -> None:
    """A media type is compared without regard to case (RFC 9110 section 8.3.1)."""
    answer = ask_for_token(service, token_body(application), [("Content-Type", content_type)]).answer
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize("second", ["application/json", "text/plain"])
def test_b05_two_content_types(service: RunningService, application: ExampleApplication, second: str) -> None:
    """Neither is chosen."""
    answer = ask_for_token(service, token_body(application), [JSON_TYPE, ("content-type", second)]).answer
    assert answer is not None
    if second == "application/json":
        assert_error(answer, 400, "Send one Content-Type header")
    else:
        assert_error(answer, 415, WRONG_TYPE)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("Transfer-Encoding", "chunked, identity")], id="b06-identity-last"),
        pytest.param([("Transfer-Encoding ", "chunked")], id="b06-space-before-colon"),
        pytest.param([("Transfer-Encoding", "xchunked")], id="b06-xchunked"),
        pytest.param([("Transfer-Encoding", "chunked\x0b")], id="b06-vertical-tab"),
        pytest.param([CHUNKED, ("Transfer-Encoding", "identity")], id="b06-two-identity-last"),
        pytest.param([("Transfer-Encoding", "identity")], id="own-identity"),
        pytest.param([("Transfer-Encoding", "")], id="own-empty"),
        pytest.param([("Transfer-Encoding", '"chunked"')], id="own-quoted"),
        pytest.param([("Transfer-Encoding", "chunked;q=1")], id="own-parameter"),
        pytest.param([("Content-Length", "5"), ("Content-Length", "6")], id="b07-two-lengths"),
        pytest.param([("Content-Length", "+5")], id="b07-plus"),
        pytest.param([("Content-Length", "5,5")], id="b07-list"),
        pytest.param([("Content-Length", "5, 5")], id="b07-list-with-space"),
        pytest.param([("Content-Length", "0x5")], id="b07-hexadecimal"),
        pytest.param([("Content-Length", "5 5")], id="own-two-numbers"),
        pytest.param([("Content-Length", "5.0")], id="own-fraction"),
        pytest.param([("Content-Length", "1_0")], id="own-underscore"),
        pytest.param([("Content-Length", "\xb2")], id="own-superscript"),
        pytest.param([("Content-Length", "")], id="own-empty-length"),
        pytest.param([("Content-Length", "-1")], id="b11-negative"),
        pytest.param([("Content-Length", str(2**64))], id="b11-two-to-the-64th"),
    ],
)
def test_b06_b07_b11_framing_that_is_refused(
    service: RunningService, application: ExampleApplication, headers: list[tuple[str | bytes, str | bytes]]
) -> None:
    """Where two parties could see two ends of the body, there is no answer but a bare 400, and no next request."""
    assert_bare_refusal(ask(service, _framed(application, *headers)), 400)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("Transfer-Encoding", "gzip, chunked")], id="b06-gzip"),
        pytest.param([("Transfer-Encoding", "identity, chunked")], id="b06-identity-first"),
        pytest.param([("Transfer-Encoding", "chunked, chunked")], id="b06-chunked-twice"),
        pytest.param([CHUNKED, CHUNKED], id="b06-two-headers"),
        pytest.param([("Transfer-Encoding", "gzip"), CHUNKED], id="b06-two-headers-gzip"),
    ],
)
def test_b06_transfer_codings_beside_chunked(
    service: RunningService, application: ExampleApplication, headers: list[tuple[str | bytes, str | bytes]]
) -> None:
    """The HTTP server passes these on, undecoded; the endpoint refuses them and closes."""
    exchanged = ask(service, _framed(application, *headers))
    assert_error(exchanged.answer, 400, BADLY_FRAMED)
    assert exchanged.is_closed


def test_b06_length_beside_chunked(service: RunningService, application: ExampleApplication) -> None:
    """RFC 9112 section 6.3: chunked overrides the length, which nobody sees then, and the connection is closed."""
    smuggled = request_bytes("GET", "/docs")
    for length in ("0", "5", "99999"):
        with RawConnection(service.port) as connection:
            connection.send(_framed(application, ("Content-Length", length), CHUNKED) + smuggled)
            answer = connection.read_answer()
            assert answer is not None
            assert (answer.status, answer.header("connection")) == (200, "close")
            assert connection.is_closed()


def test_b06_chunked_in_http_1_0(service: RunningService, application: ExampleApplication) -> None:
    """HTTP/1.0 knows no chunks."""
    request = request_bytes(
        "POST", TOKEN_PATH, [JSON_TYPE, CHUNKED], _chunks(token_body(application)), version=b"HTTP/1.0"
    )
    assert_bare_refusal(ask(service, request), 400)


@pytest.mark.parametrize("coding", ["chunked", "CHUNKED", "Chunked"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_b08_good_chunks(service: RunningService, application: ExampleApplication, size: int, coding: str) -> None:
    """A chunked body is a body, however it is cut; extensions and trailers are read over."""
    body = token_body(application)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    for end in (b"0\r\n\r\n", b"0;a=b\r\n\r\n", b"0\r\nX-Trailer: a\r\n\r\n", b"000\r\nContent-Length: 5\r\n\r\n"):
        request = _framed(application, ("Transfer-Encoding", coding), body=_chunks(*pieces, end=end))
        exchanged = ask(service, request)
        assert exchanged.answer is not None
        assert exchanged.answer.status == 200
        assert not exchanged.is_closed


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"5\r\nabcdeX\n0\r\n\r\n", id="terminator"),
        pytest.param(b"5\r\nabcdefgh\r\n0\r\n\r\n", id="longer-than-said"),
        pytest.param(b"5\r\nabcde0\r\n\r\n", id="no-line-end"),
        pytest.param(b"zz\r\n", id="no-number"),
        pytest.param(b"-5\r\nabcde\r\n0\r\n\r\n", id="negative"),
        pytest.param(b"+5\r\nabcde\r\n0\r\n\r\n", id="plus"),
        pytest.param(b"0x5\r\nabcde\r\n0\r\n\r\n", id="own-hexadecimal-prefix"),
        pytest.param(b"\r\nabcde\r\n0\r\n\r\n", id="own-empty-size"),
        pytest.param(b"fffffffffffffffff\r\nabcde\r\n0\r\n\r\n", id="own-size-overflow"),
        pytest.param(b"5;" + b"a" * 20_000 + b"\r\nabcde\r\n0\r\n\r\n", id="extension-flood"),
        pytest.param(b"1;" + b"a" * 500 + b"\r\na\r\n" + (b"1;" + b"a" * 500 + b"\r\na\r\n") * 50, id="own-extensions"),
        pytest.param(b"0\r\n" + b"X: a\r\n" * 5000 + b"\r\n", id="own-trailer-flood"),
        pytest.param(b"0\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", id="own-long-trailer"),
        pytest.param(b"0\r\nX Y: a\r\n\r\n", id="own-trailer-name"),
    ],
)
def test_b08_bad_chunks(service: RunningService, application: ExampleApplication, body: bytes) -> None:
    """400, and the rest of the connection is not looked at."""
    with RawConnection(service.port) as connection:
        started = time.perf_counter()
        connection.send(_framed(application, CHUNKED, body=body) + request_bytes("GET", "/docs"))
        answer = connection.read_answer()
        assert time.perf_counter() - started < 1
        assert_error(answer, 400, BADLY_FRAMED)
        assert connection.is_closed()
    assert service.client.get("/readyz").status_code == 200


def test_b08_request_after_the_last_chunk(service: RunningService, application: ExampleApplication) -> None:
    """What follows the last chunk is the next request, and is judged as one: no token, no entry."""
    with RawConnection(service.port) as connection:
        connection.send(_framed(application, CHUNKED) + request_bytes("GET", ENDPOINT_PATH))
        answer = connection.read_answer()
        assert answer is not None
        assert answer.status == 200
        assert_missing_token(connection.read_answer())


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", id="b09-bare-cr"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", id="b09-folded"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n X: b\r\nHost: a\r\n\r\n", id="b09-folded-first"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", id="b09-nul"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: b\x01c\r\n\r\n", id="b09-control-character"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: b\x7fc\r\n\r\n", id="b09-delete"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", id="b09-space-in-name"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", id="b09-space-after-name"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n", id="b09-nul-in-name"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\xc3\xa4: b\r\n\r\n", id="own-name-beyond-ascii"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", id="own-no-name"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", id="own-no-colon"),
        pytest.param(b"GET /healthz x HTTP/1.1\r\nHost: a\r\n\r\n", id="own-space-in-target"),
        pytest.param(b"GET /health\x01z HTTP/1.1\r\nHost: a\r\n\r\n", id="own-control-character-in-target"),
        pytest.param(b"GET /health\0z HTTP/1.1\r\nHost: a\r\n\r\n", id="own-nul-in-target"),
        pytest.param(b"GET /health\xffz HTTP/1.1\r\nHost: a\r\n\r\n", id="own-target-beyond-ascii"),
        pytest.param(b"G\x01T /healthz HTTP/1.1\r\nHost: a\r\n\r\n", id="own-control-character-in-method"),
        pytest.param(b"GET  HTTP/1.1\r\nHost: a\r\n\r\n", id="own-no-target"),
        pytest.param(b"GET /healthz HTTP/1.2\r\nHost: a\r\n\r\n", id="own-http-1.2"),
        pytest.param(b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n", id="own-http-9.9"),
        pytest.param(b"GET /healthz http/1.1\r\nHost: a\r\n\r\n", id="own-lower-case-http"),
        pytest.param(b"GET /healthz HTTP/1.1 \r\nHost: a\r\n\r\n", id="own-space-after-version"),
        pytest.param(b"GET /healthz\r\n", id="b20-http-0.9"),
        pytest.param(bytes.fromhex("16030100a5010000a10303") + bytes(160), id="b20-tls"),
        pytest.param(b"\x05\x01\x00\r\n\r\n", id="own-socks"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", id="own-ssh"),
        pytest.param(b"\xff\xf4\xff\xfd\x06\r\n\r\n", id="own-telnet"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", id="own-an-answer"),
        pytest.param(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", id="own-proxy-line"),
    ],
)
def test_b09_b20_requests_that_are_none(service: RunningService, request_: bytes) -> None:
    """A bare 400 and a close."""
    assert_bare_refusal(ask(service, request_), 400)


def test_b09_bare_lf_ends_a_line(service: RunningService) -> None:
    """RFC 9112 section 2.2 lets a recipient take it; a proxy that forwards it does so as well. It opens nothing."""
    assert_missing_token(ask(service, b"GET /v1/endpoint HTTP/1.1\nHost: a\n\n").answer)


def test_b11_b12_length_is_refused_before_any_body(service: RunningService) -> None:
    """413 as soon as the headers are there, also for who asks before sending (Expect: 100-continue), and a close."""
    for length in ("8193", "100000000", str(2**63)):
        for more in ([], [("Expect", "100-continue")]):
            request = request_bytes("POST", TOKEN_PATH, [JSON_TYPE, ("Content-Length", length), *more])
            exchanged = ask(service, request)
            assert_error(exchanged.answer, 413, TOO_LARGE)
            assert exchanged.is_closed


def test_b12_who_asks_before_sending_is_told_to_go_on(service: RunningService, application: ExampleApplication) -> None:
    """100, then the body, then the token."""
    body = token_body(application)
    headers = [JSON_TYPE, ("Content-Length", str(len(body))), ("Expect", "100-continue")]
    with RawConnection(service.port) as connection:
        connection.send(request_bytes("POST", TOKEN_PATH, headers))
        interim = connection.read_answer()
        connection.send(body)
        answer = connection.read_answer()
    assert [found and found.status for found in (interim, answer)] == [100, 200]


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "zstd", "identity", "GZIP", "gzip, gzip", "x"])
def test_b13_encoded_bodies(service: RunningService, application: ExampleApplication, coding: str) -> None:
    """415: nothing is ever unpacked."""
    body = gzip.compress(token_body(application), mtime=0)
    exchanged = ask_for_token(service, body, [JSON_TYPE, ("Content-Encoding", coding)])
    assert_error(exchanged.answer, 415, "Send the body without Content-Encoding")


def test_b13_bomb(service: RunningService) -> None:
    """A body that would unpack to 8 MB is not unpacked."""
    bomb = gzip.compress(bytes(8_000_000), mtime=0)[:8000]
    exchanged = ask_for_token(service, bomb, [JSON_TYPE, ("Content-Encoding", "gzip")])
    assert_error(exchanged.answer, 415, "Send the body without Content-Encoding")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Proto", "https")], id="b15-forwarded-host"),
        pytest.param([("X-Forwarded-Prefix", "/evil"), ("X-Original-URL", "/healthz")], id="b15-prefix"),
        pytest.param([("Forwarded", "for=1.2.3.4;host=evil.example;proto=https")], id="b15-forwarded"),
        pytest.param([("Host", "evil.example")], id="own-second-host"),
        pytest.param([("X-HTTP-Method-Override", "DELETE"), ("X-Method-Override", "GET")], id="own-method-override"),
        pytest.param([("X-Rewrite-Url", "/v1/endpoint")], id="own-rewrite"),
        pytest.param([("X-Sensos-Tenant-Id", "ten_other")], id="own-identity-header"),
    ],
)
def test_b15_headers_of_proxies_change_nothing(
    service: RunningService, application: ExampleApplication, headers: list[tuple[str | bytes, str | bytes]]
) -> None:
    """Issuer, route and method are not the sender's to say: the token is as good as any, and says the same."""
    answer = ask_for_token(service, token_body(application), [JSON_TYPE, *headers]).answer
    assert answer is not None
    token = json.loads(answer.body)["accessToken"]
    seen = service.client.get(ENDPOINT_PATH, headers={"Authorization": f"Bearer {token}"})
    assert seen.json()["tenantId"] == application.tenant_id


@pytest.mark.parametrize(
    "host",
    [
        pytest.param(b"", id="own-none"),
        pytest.param(b"Host: evil.example\r\n", id="own-foreign"),
        pytest.param(b"Host: a\r\nHost: b\r\n", id="own-two"),
        pytest.param(b"Host: a/../?#@b\r\n", id="own-no-host-name"),
        pytest.param(b"Host:\r\n", id="own-empty"),
    ],
)
def test_b15_host_is_used_for_nothing(service: RunningService, application: ExampleApplication, host: bytes) -> None:
    """No route, link or claim comes from it. The HTTP server does not check it, though RFC 9112 section 3.2 would."""
    assert_missing_token(ask(service, b"GET /v1/endpoint HTTP/1.1\r\n%b\r\n" % host).answer)
    authorization = f"Authorization: Bearer {service.token(application)}\r\n".encode()
    answer = ask(service, b"GET /v1/endpoint HTTP/1.1\r\n%b%b\r\n" % (host, authorization)).answer
    assert answer is not None
    assert answer.status == 200
    assert b"evil" not in answer.body


@pytest.mark.parametrize(
    "path",
    [
        "//v1/applications/token",
        "/v1//applications/token",
        "/v1/./applications/token",
        "/v1/x/../applications/token",
        "/v1/%2e/applications/token",
        "/v1/x/%2e%2e/applications/token",
        "/v1/applications/token/",
        "/v1/applications/token%20",
        "/v1/applications/token%00",
        "/v1/applications/token%0a",
        "/V1/applications/token",
        "/v1/Applications/Token",
        "/v1\\applications\\token",
        "/v1%5capplications%5ctoken",
        "/v1/applications%252ftoken",
        "/v1/applications/token%3f",
        "/v1/applications/tok%C3%A9n",
        "/v1/applications/%ff",
        "/v1/applications/%zz",
        "/v1/endpoint/",
        "/v1/endpoint/..",
        "/v1/endpoint%2f..%2f..%2fhealthz",
        "/.well-known/../v1/endpoint",
        "/.well-known/jwks.json/",
        "/static/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/.git/config",
        "/.env",
        "/redoc",
        "/docs/oauth2-redirect",
        "/",
    ],
)
def test_b16_other_paths(service: RunningService, application: ExampleApplication, path: str) -> None:
    """A path is compared as a whole: what isn't one of ours is 404, with a good body and a good token as without."""
    headers = [JSON_TYPE, ("Authorization", f"Bearer {service.token(application)}")]
    for method, body in (("POST", token_body(application)), ("GET", b"")):
        exchanged = ask(service, request_bytes(method, path, headers, body), method=method)
        assert_error(exchanged.answer, 404, NOTHING_HERE)


@pytest.mark.parametrize("path", ["/v1/applications/token;x=1", "/v1/applications/token.json"])
def test_b16_paths_that_look_like_the_token_endpoint_are_applications(
    service: RunningService, application: ExampleApplication, path: str
) -> None:
    """Of the management API: good credentials get no token there, and to read one takes the scope for it."""
    headers = [JSON_TYPE, ("Authorization", f"Bearer {service.token(application)}")]
    posted = ask(service, request_bytes("POST", path, headers, token_body(application)), method="POST").answer
    read = ask(service, request_bytes("GET", path, headers)).answer
    assert posted is not None
    assert read is not None
    assert (posted.status, read.status) == (405, 403)


@pytest.mark.parametrize("path", ["/v1/%65ndpoint", "/v1/endpoint?", "/v1/endpoint?a=%00&b=/healthz", "/v1/endpoint#x"])
def test_b16_b17_other_spellings_of_the_protected_path(
    service: RunningService, application: ExampleApplication, path: str
) -> None:
    """They lead to the same endpoint, with the same check."""
    assert_missing_token(ask(service, request_bytes("GET", path)).answer)
    authorization = ("Authorization", f"Bearer {service.token(application)}")
    answer = ask(service, request_bytes("GET", path, [authorization])).answer
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize(
    "target", ["http://evil.example/v1/endpoint", "HTTPS://a@b:1/v1/endpoint", "http://[::1]/v1/endpoint"]
)
def test_b17_absolute_form(service: RunningService, target: str) -> None:
    """The path counts, the host doesn't (RFC 9112 section 3.2.2): the same check."""
    assert_missing_token(ask(service, request_bytes("GET", target)).answer)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("CONNECT", "evil.example:443"),
        ("CONNECT", "127.0.0.1:22"),
        ("GET", "evil.example:443"),
        ("OPTIONS", "*"),
        ("GET", "*"),
        ("CONNECT", "/v1/endpoint"),
    ],
)
def test_b17_authority_and_asterisk_form(service: RunningService, method: str, target: str) -> None:
    """No proxy: refused, nothing is connected to."""
    answer = ask(service, request_bytes(method, target)).answer
    assert answer is None or answer.status in {400, 404, 405}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(
            request_bytes("GET", "/healthz", [(f"X-{n}", "a") for n in range(10_000)]), 431, id="10000-headers"
        ),
        pytest.param(
            request_bytes("GET", "/healthz", [(f"X-{n}", "a") for n in range(100)]), 431, id="own-101-headers"
        ),
        pytest.param(request_bytes("GET", "/healthz", [("X", "a" * 1_000_000)]), 431, id="1-mb-header"),
        pytest.param(request_bytes("GET", "/healthz", [("X" * 70_000, "a")]), 431, id="own-70-kb-name"),
        pytest.param(request_bytes("GET", "/" + "a" * 65_536), 414, id="64-kib-url"),
    ],
)
def test_b19_too_much(service: RunningService, request_: bytes, status: int) -> None:
    """A bare 431 or 414 and a close."""
    assert_bare_refusal(ask(service, request_), status, 400)


@pytest.mark.parametrize("size", [8_000, 60_000])
def test_b19_large_header(service: RunningService, size: int) -> None:
    """A header that is large but fits changes nothing."""
    exchanged = ask(service, request_bytes("GET", ENDPOINT_PATH, [("X-Large", "a" * size)]))
    assert_missing_token(exchanged.answer)


def test_b20_http_2_without_tls(service: RunningService) -> None:
    """The preface of HTTP/2 gets no answer in HTTP/1.1, only a close; an offer to upgrade is ignored."""
    exchanged = ask(service, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
    assert exchanged.is_closed
    assert exchanged.answer is None or exchanged.answer.status == 400
    offer: list[tuple[str | bytes, str | bytes]] = [
        ("Upgrade", "h2c"),
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
    ]
    assert_missing_token(ask(service, request_bytes("GET", ENDPOINT_PATH, offer)).answer)


def test_b21_pipelined_requests(service: RunningService, application: ExampleApplication) -> None:
    """A thousand requests at once on one connection are answered in order."""
    with RawConnection(service.port) as connection:
        good = request_bytes("POST", TOKEN_PATH, [JSON_TYPE], token_body(application))
        bad = request_bytes("GET", ENDPOINT_PATH)
        for _ in range(10):
            connection.send((good + bad) * 50)
            statuses = [answer and answer.status for answer in (connection.read_answer() for _ in range(100))]
            assert statuses == [200, 401] * 50


@pytest.mark.parametrize("path", [*GET_PATHS, TOKEN_PATH, "/ws"])
def test_b23_websocket_upgrade(service: RunningService, path: str) -> None:
    """The offer is ignored (RFC 9110 section 7.8): the answer is what anybody gets, and never 101."""
    upgrade: list[tuple[str | bytes, str | bytes]] = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ]
    plain = ask(service, request_bytes("GET", path)).answer
    upgraded = ask(service, request_bytes("GET", path, upgrade)).answer
    assert plain is not None
    assert upgraded is not None
    assert (upgraded.status, upgraded.body) == (plain.status, plain.body)


@pytest.mark.parametrize("path", [*GET_PATHS, TOKEN_PATH])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1"])
def test_b24_f20_no_cross_origin_access(service: RunningService, path: str, origin: str) -> None:
    """No page of another origin may read an answer, and a preflight is refused."""
    preflight: list[tuple[str | bytes, str | bytes]] = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type, authorization"),
    ]
    for method in ("OPTIONS", "GET", "POST"):
        answer = ask(service, request_bytes(method, path, preflight)).answer
        assert answer is not None
        names = {name for name, _ in answer.headers}
        assert not [name for name in names if name.startswith("access-control-") or name == "set-cookie"]
        assert method != "OPTIONS" or answer.status == 405


@pytest.mark.parametrize("path", [*GET_PATHS, TOKEN_PATH, "/nothing"])
def test_b26_headers_of_every_answer(service: RunningService, path: str) -> None:
    """Type and length, nosniff, a request ID, and no version of anything."""
    for method in ("GET", "POST"):
        answer = ask(service, request_bytes(method, path)).answer
        assert answer is not None
        assert answer.header("content-type") in {"application/json", "text/html; charset=utf-8"}
        assert answer.header("content-length") == str(len(answer.body))
        assert answer.header("x-content-type-options") == "nosniff"
        assert len(answer.header("x-request-id") or "") == 24
        assert answer.header("server") == "granian"
        assert answer.header("cache-control") in {"no-store", "public, max-age=300"} or path == ENDPOINT_PATH


def test_b27_clients_that_leave(service: RunningService, application: ExampleApplication) -> None:
    """Before the body, within it, before the answer: nothing is logged as an error, and the service goes on."""
    good = request_bytes("POST", TOKEN_PATH, [JSON_TYPE], token_body(application))
    before = len(service.log_lines())
    for length in (1, 20, len(good) - 200, len(good) - 1, len(good)):
        for _ in range(10):
            with RawConnection(service.port) as connection:
                connection.send(good[:length])
    for _ in range(20):
        with RawConnection(service.port) as connection:
            connection.send(request_bytes("GET", "/docs") * 20)
    assert service.ask(application).status_code == 200
    time.sleep(0.2)
    assert {line["level"] for line in service.log_lines()[before:]} == {"info"}


@pytest.mark.parametrize(
    "range_", ["bytes=0-1", "bytes=-1", "bytes=5-1", "bytes=" + "0-1," * 10_000 + "0-1", "items=0-1"]
)
@pytest.mark.parametrize("path", [JWKS_PATH, "/docs", "/openapi.json"])
def test_b28_ranges_are_ignored(service: RunningService, path: str, range_: str) -> None:
    """The whole answer, at once (RFC 9110 section 14.2 allows it)."""
    answer = ask(service, request_bytes("GET", path, [("Range", range_)])).answer
    assert answer is not None
    assert (answer.status, answer.body) == (200, service.client.get(path).content)


@pytest.mark.parametrize("length", [5, 1_000_000])
@pytest.mark.parametrize("path", [*GET_PATHS, "/nothing"])
def test_bodies_that_nobody_asked_for(service: RunningService, path: str, length: int) -> None:
    """A GET with a body is answered as one without; the body is never taken for the next request."""
    exchanged = ask(
        service, request_bytes("GET", path, [JSON_TYPE], b"GET /docs HTTP/1.1\r\n\r\n".ljust(length)[:length])
    )
    assert exchanged.answer is not None
    plain = ask(service, request_bytes("GET", path)).answer
    assert plain is not None
    assert (exchanged.answer.status, exchanged.answer.body) == (plain.status, plain.body)


def test_connection_is_kept_after_ordinary_refusals(service: RunningService, application: ExampleApplication) -> None:
    """A 400, 401, 404 or 405 costs nobody the connection."""
    with RawConnection(service.port) as connection:
        for request, status in (
            (request_bytes("POST", TOKEN_PATH, [JSON_TYPE], b"{}"), 400),
            (request_bytes("POST", TOKEN_PATH, [JSON_TYPE], token_body(application, tenantId="x")), 401),
            (request_bytes("GET", "/nothing"), 404),
            (request_bytes("DELETE", "/docs"), 405),
            (request_bytes("POST", TOKEN_PATH, [JSON_TYPE], token_body(application)), 200),
        ):
            connection.send(request)
            answer = connection.read_answer()
            assert answer is not None
            assert answer.status == status


def test_http_1_0(service: RunningService) -> None:
    """Served, and closed afterwards."""
    exchanged = exchange(service.port, request_bytes("GET", ENDPOINT_PATH, version=b"HTTP/1.0"))
    assert_missing_token(exchanged.answer)
    assert exchanged.is_closed


def test_own_chunked_body_that_is_too_large(service: RunningService, application: ExampleApplication) -> None:
    """413 after 8 KiB, whatever was promised, and a close; the rest is not read."""
    for size in (8193, 100_000, 1_000_000):
        exchanged = ask(service, _framed(application, CHUNKED, body=_chunks(b" " * size)))
        assert_error(exchanged.answer, 413, TOO_LARGE)
        assert exchanged.is_closed


def test_own_eight_thousand_chunks_of_a_byte(service: RunningService, application: ExampleApplication) -> None:
    """As good as one chunk, and not much slower."""
    body = token_body(application).ljust(8192)
    exchanged = ask(service, _framed(application, CHUNKED, body=_chunks(*(body[n : n + 1] for n in range(8192)))))
    assert exchanged.answer is not None
    assert exchanged.answer.status == 200


@pytest.mark.parametrize("value", ["close", "Authorization, close", "Content-Type, Content-Length, close"])
def test_own_connection_header(service: RunningService, application: ExampleApplication, value: str) -> None:
    """Answered, and closed if it says so; headers that it names are no less headers for that."""
    headers = [JSON_TYPE, ("Connection", value)]
    exchanged = ask(service, request_bytes("POST", TOKEN_PATH, headers, token_body(application)))
    assert exchanged.answer is not None
    assert exchanged.answer.status == 200
    assert exchanged.is_closed


def test_own_client_that_closes_its_half(service: RunningService, application: ExampleApplication) -> None:
    """The HTTP server takes it for gone: an answer that was quicker arrives, and nothing but an answer ever does."""
    for _ in range(20):
        with RawConnection(service.port) as connection:
            connection.send(request_bytes("POST", TOKEN_PATH, [JSON_TYPE], token_body(application)))
            connection.end_sending()
            answer = connection.read_answer()
            assert answer is None or answer.status == 200
            assert connection.is_closed()
    assert service.ask(application).status_code == 200


def test_own_body_that_ends_early(service: RunningService, application: ExampleApplication) -> None:
    """Fewer bytes than were announced, and no more to come: 400 at once, though what came is good JSON."""
    body = token_body(application)
    for headers in ([("Content-Length", str(len(body) + 1))], [CHUNKED]):
        sent = body if headers != [CHUNKED] else _chunks(body, end=b"")
        with RawConnection(service.port) as connection:
            started = time.perf_counter()
            connection.send(request_bytes("POST", TOKEN_PATH, [JSON_TYPE, *headers], sent))
            connection.end_sending()
            answer = connection.read_answer()
            assert time.perf_counter() - started < 1
            assert answer is None or answer.status == 400


def test_own_request_id_is_ours(service: RunningService) -> None:
    """What the client calls its request is not repeated: it would be in the log."""
    answer = ask(service, request_bytes("GET", "/healthz", [("X-Request-Id", "a" * 24)])).answer
    assert answer is not None
    assert answer.header("x-request-id") != "a" * 24


def test_own_query_of_60_kb(service: RunningService) -> None:
    """Nobody looks at it."""
    for query in ("a=b&" * 15_000, "&" * 60_000, "%ff" * 20_000, "a" * 60_000):
        assert_missing_token(ask(service, request_bytes("GET", f"{ENDPOINT_PATH}?{query}")).answer)


def test_own_cookies_of_60_kb(service: RunningService) -> None:
    """Nobody looks at them."""
    for cookie in ("a=b; " * 12_000, ";" * 60_000, '"' * 60_000):
        assert_missing_token(ask(service, request_bytes("GET", ENDPOINT_PATH, [("Cookie", cookie)])).answer)
