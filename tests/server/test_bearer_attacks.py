"""The catalogue's group G: ways to show a token that must not be taken for it, and the few that must, over a socket."""

import pytest

from tests.running_service import ENDPOINT_PATH, ExampleApplication, RunningService
from tests.server.contract import (
    JSON_TYPE,
    ask,
    ask_endpoint,
    assert_error,
    assert_invalid_token,
    assert_missing_token,
)
from tests.server.raw_http import request_bytes


@pytest.fixture(scope="module")
def token(service: RunningService, application: ExampleApplication) -> str:
    """Return a good token."""
    return service.token(application)


def test_g01_no_authorization(service: RunningService) -> None:
    """401 with the bare challenge: no error code where no token was shown (RFC 6750 section 3.1)."""
    assert_missing_token(ask_endpoint(service).answer)


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("Bearer", id="g02-alone"),
        pytest.param("Bearer ", id="g02-space"),
        pytest.param("Bearer  {}", id="g02-two-spaces"),
        pytest.param("Bearer\t{}", id="g02-tab"),
        pytest.param("Bearer \t{}", id="g02-space-and-tab"),
        pytest.param("Bearer {} {}", id="own-two-tokens"),
        pytest.param("Bearer {},{}", id="g05-comma"),
        pytest.param("Bearer {}, Bearer {}", id="g05-merged-by-a-proxy"),
        pytest.param("Bearer {} extra", id="own-more"),
        pytest.param("Bearer {};a=b", id="own-parameter"),
        pytest.param('Bearer "{}"', id="own-quoted"),
        pytest.param("Bearer '{}'", id="own-single-quoted"),
        pytest.param("Bearer <{}>", id="own-angle-brackets"),
        pytest.param("Bearer token={}", id="own-named"),
        pytest.param('Bearer realm="x", token="{}"', id="own-challenge-like"),
        pytest.param("Bearer Bearer {}", id="own-scheme-twice"),
        pytest.param("Bearer={}", id="own-equals"),
        pytest.param("Bearer,{}", id="own-comma-for-space"),
        pytest.param("Bearer {}%20", id="own-percent"),
        pytest.param("Bearer %20{}", id="own-percent-before"),
        pytest.param("Bearer {}\xa0", id="g10-no-break-space"),
        pytest.param("Bearer \xff{}", id="g10-latin-1"),
        pytest.param("Bearer {}\xe2\x80\x8b", id="g10-zero-width-space"),
        pytest.param("Bearer {}=", id="own-padding"),
        pytest.param("Bearer {}.", id="own-dot"),
        pytest.param("Bearer undefined", id="own-undefined"),
        pytest.param("Bearer null", id="own-null"),
        pytest.param("Bearer [object Object]", id="own-object"),
        pytest.param("Bearer {{token}}", id="own-template"),
        pytest.param("Bearer ' OR 1=1--", id="own-sql"),
    ],
)
def test_g02_g05_g10_bearer_and_what_is_no_token(service: RunningService, token: str, form: str) -> None:
    """Exactly one space and one token follow; anything else was an attempt, and is invalid."""
    assert_invalid_token(ask_endpoint(service, ("Authorization", form.replace("{}", token))).answer)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "BeArEr"])
@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
def test_g03_scheme_and_header_in_any_case(service: RunningService, token: str, scheme: str, name: str) -> None:
    """RFC 9110 sections 5.1 and 11.1."""
    answer = ask_endpoint(service, (name, f"{scheme} {token}")).answer
    assert answer is not None
    assert answer.status == 200


def test_g02_space_around_the_value_is_not_part_of_it(service: RunningService, token: str) -> None:
    """White space before and after a field value is HTTP's, not the token's (RFC 9110 section 5.5)."""
    answer = ask_endpoint(service, ("Authorization", f" \t Bearer {token} \t ")).answer
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize(
    "form",
    [
        "Basic {}",
        "Token {}",
        "JWT {}",
        "DPoP {}",
        "Bearers {}",
        "Bearer-Token {}",
        "Bearer_ {}",
        "MAC {}",
        "Digest {}",
        "Negotiate {}",
        "X-Bearer {}",
        "{}",
        "",
        "\xa0Bearer {}",
        "B\xe9arer {}",
        ", Bearer {}",
        '"Bearer" {}',
    ],
)
def test_g04_g12_other_schemes(service: RunningService, token: str, form: str) -> None:
    """An unsupported scheme is no token at all (RFC 6750 section 3.1), and a good token under it opens nothing."""
    assert_missing_token(ask_endpoint(service, ("Authorization", form.format(token))).answer)


def test_g04_colon_after_the_scheme(service: RunningService, token: str) -> None:
    """``Bearer:`` is no scheme of ours."""
    answer = ask_endpoint(service, ("Authorization", f"Bearer: {token}")).answer
    assert answer is not None
    assert_error(answer, 401, "Invalid or expired access token")


@pytest.mark.parametrize("first", ["Bearer {}", "Bearer x", "Basic eDp5", ""])
@pytest.mark.parametrize("second", ["Bearer {}", "Bearer x", "Basic eDp5", ""])
def test_g05_two_authorization_headers(service: RunningService, token: str, first: str, second: str) -> None:
    """Neither the first nor the last wins, not even when they say the same."""
    headers = [("Authorization", first.format(token)), ("authorization", second.format(token))]
    assert_invalid_token(ask_endpoint(service, *headers).answer)


@pytest.mark.parametrize("name", ["access_token", "token", "accessToken", "Authorization", "bearer", "jwt"])
def test_g07_token_in_the_query(service: RunningService, token: str, name: str) -> None:
    """Not looked at (RFC 9700 section 4.3.2)."""
    for query in (f"{name}={token}", f"{name}=Bearer%20{token}"):
        assert_missing_token(ask(service, request_bytes("GET", f"{ENDPOINT_PATH}?{query}")).answer)


@pytest.mark.parametrize("form", ["access_token={}", '{{"accessToken":"{}"}}'])
def test_g07_token_in_the_body(service: RunningService, token: str, form: str) -> None:
    """Not looked at, as a form or as JSON."""
    for content_type in ("application/x-www-form-urlencoded", "application/json"):
        request = request_bytes("GET", ENDPOINT_PATH, [("Content-Type", content_type)], form.format(token).encode())
        assert_missing_token(ask(service, request).answer)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("Cookie", id="g07-cookie"),
        pytest.param("Proxy-Authorization", id="g11-proxy"),
        pytest.param("X-Authorization", id="g11-x"),
        pytest.param("X-Forwarded-Authorization", id="g11-forwarded"),
        pytest.param("X-Access-Token", id="own-x-access-token"),
        pytest.param("X-Auth-Token", id="own-x-auth-token"),
        pytest.param("X-API-Key", id="own-api-key"),
        pytest.param("Authorisation", id="own-british"),
        pytest.param("HTTP_AUTHORIZATION", id="own-cgi"),
        pytest.param("HTTP-AUTHORIZATION", id="own-cgi-hyphen"),
        pytest.param("Authorization_", id="own-underscore"),
        pytest.param("Authorization.", id="own-dot"),
        pytest.param("Sec-WebSocket-Protocol", id="own-websocket-protocol"),
    ],
)
def test_g07_g11_other_headers(service: RunningService, token: str, name: str) -> None:
    """Not looked at."""
    for value in (f"Bearer {token}", f"access_token={token}", token):
        assert_missing_token(ask_endpoint(service, (name, value)).answer)


def test_g09_large_values(service: RunningService, token: str) -> None:
    """Refused in no time: as a token, as another scheme, or by the HTTP server with 431."""
    for size in (8_193, 60_000, 100_000):
        assert_invalid_token(ask_endpoint(service, ("Authorization", "Bearer " + "a" * size)).answer)
        assert_invalid_token(ask_endpoint(service, ("Authorization", f"Bearer {token}{'A' * size}")).answer)
        assert_missing_token(ask_endpoint(service, ("Authorization", "a" * size)).answer)
    exchanged = ask_endpoint(service, ("Authorization", "Bearer " + "a" * 1_000_000))
    assert exchanged.answer is not None
    assert (exchanged.answer.status, exchanged.is_closed) == (431, True)


@pytest.mark.parametrize("character", ["\0", "\r", "\n", "\x01", "\x7f", "\x1b"], ids=repr)
def test_g10_control_characters(service: RunningService, token: str, character: str) -> None:
    """The HTTP server refuses the request, or what follows a line end is another header."""
    answer = ask_endpoint(service, ("Authorization", f"Bearer {token[:20]}{character}{token[20:]}")).answer
    assert answer is not None
    assert answer.status in {400, 401}


def test_g10_folded_value(service: RunningService, token: str) -> None:
    """A line is not continued on the next."""
    answer = ask_endpoint(service, ("Authorization", f"Bearer\r\n {token}")).answer
    assert answer is not None
    assert (answer.status, answer.body) == (400, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_g14_other_methods(service: RunningService, token: str, method: str) -> None:
    """405 with a token as without: no method gets past the check."""
    for headers in ([], [("Authorization", f"Bearer {token}")]):
        answer = ask_endpoint(service, *headers, method=method).answer
        assert_error(answer, 405, "This path answers GET, HEAD only")


def test_g14_head(service: RunningService, token: str) -> None:
    """HEAD needs the token that GET needs."""
    refused = ask_endpoint(service, method="HEAD").answer
    assert refused is not None
    assert (refused.status, refused.header("www-authenticate"), refused.body) == (401, "Bearer", b"")
    let_in = ask_endpoint(service, ("Authorization", f"Bearer {token}"), method="HEAD").answer
    assert let_in is not None
    assert let_in.status == 200


def test_own_token_of_one_request_does_not_serve_the_next(service: RunningService, token: str) -> None:
    """On one connection, each request shows its own token."""
    authorization = {"Authorization": f"Bearer {token}"}
    for _ in range(3):
        assert service.client.get(ENDPOINT_PATH, headers=authorization).status_code == 200
        assert service.client.get(ENDPOINT_PATH).status_code == 401


def test_own_credentials_are_no_token(service: RunningService, application: ExampleApplication) -> None:
    """The secret itself, shown as a token or by the Basic scheme, opens nothing."""
    assert_invalid_token(ask_endpoint(service, ("Authorization", f"Bearer {application.secret}")).answer)
    assert_invalid_token(ask_endpoint(service, ("Authorization", f"Bearer {application.application_id}")).answer)
    request = request_bytes("GET", ENDPOINT_PATH, [JSON_TYPE], str(application.credentials()).encode())
    assert_missing_token(ask(service, request).answer)
