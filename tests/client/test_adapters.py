"""What every adapter does, in the same words for each HTTP library."""

import asyncio
from collections.abc import Callable, Iterator
from urllib.request import ProxyHandler, Request, build_opener

import httpx2
import pytest

import sensos_auth.client.httpx2
from sensos_auth.client import CredentialsRefused, TokenServiceUnavailable, TokenSource
from sensos_auth.client.urllib import TokenHandler
from sensos_auth.testing import ApiAnswer, ApiRequest, Fault, TokenServer
from tests.client.callers import CALLERS, WITH_HEADERS, Caller, Got
from tests.client.other_hosts import other_host
from tests.running_service import RunningService, running_service

With = Callable[[TokenSource], Caller]

each_adapter = pytest.mark.parametrize("calling", CALLERS.values(), ids=CALLERS.keys())
each_library = pytest.mark.parametrize("calling", WITH_HEADERS.values(), ids=WITH_HEADERS.keys())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Run the real service."""
    with running_service(tmp_path_factory.mktemp("service"), at_once=True) as running:
        yield running


def environment_of(service: RunningService) -> dict[str, str]:
    """Return the environment of a new application of the service."""
    application = service.new_application()
    return {
        "SENSOS_BASE_URL": service.base_url,
        "SENSOS_TENANT_ID": application.tenant_id,
        "SENSOS_APPLICATION_ID": application.application_id,
        "SENSOS_APPLICATION_SECRET": application.secret,
    }


def redirecting(server: TokenServer, target: str, status: int = 307) -> None:
    """Let the API redirect from ``/v1/moved``."""
    for method in ("GET", "POST"):
        server.answer(method, "/v1/moved", lambda _: ApiAnswer(status, {}, {"Location": target}))


@each_library
def test_against_the_real_service(service: RunningService, calling: With) -> None:
    """One token for many requests; who calls is who was configured."""
    environment = environment_of(service)
    source = TokenSource.from_env(environment)
    with calling(source) as call:
        token = source.token()
        for _ in range(3):
            got = call("GET", f"{service.base_url}/v1/endpoint")
            assert got.status == 200
            assert isinstance(got.document, dict)
            assert got.document["applicationId"] == environment["SENSOS_APPLICATION_ID"]
    assert source.token() == token


@each_library
def test_a_refused_token_is_renewed_and_the_request_repeated(server: TokenServer, calling: With) -> None:
    """The caller sees no 401, and the body is sent again whole."""
    server.answer("POST", "/v1/devices", lambda request: ApiAnswer(201, {"got": request.body.decode()}))
    source = TokenSource.from_env(server.environment)
    with calling(source) as call:
        for _ in range(2):
            assert call("POST", f"{server.base_url}/v1/devices", b"one device") == Got(201, {"got": "one device"})
            server.revoke_tokens()
    assert server.api_statuses == [201, 401, 201]
    assert server.token_requests == 2


def test_many_requests_with_a_refused_token_renew_it_once(server: TokenServer) -> None:
    """Fifty at once get their 401; all succeed with the one successor."""
    source = TokenSource.from_env(server.environment)
    source.token()
    server.revoke_tokens()

    async def all_at_once() -> list[int]:
        auth = sensos_auth.client.httpx2.TokenAuth(source)
        async with httpx2.AsyncClient(auth=auth, trust_env=False) as client:
            answers = await asyncio.gather(*(client.get(f"{server.base_url}/v1/endpoint") for _ in range(50)))
            return [answer.status_code for answer in answers]

    assert set(asyncio.run(all_at_once())) == {200}
    assert server.token_requests == 2


@each_library
def test_m09_a_second_401_is_the_callers(server: TokenServer, calling: With) -> None:
    """One renewal and one repetition, then the answer as it is."""
    refusal = {"error": "Unauthorized", "message": "Invalid or expired access token"}
    server.answer("GET", "/v1/never", lambda _: ApiAnswer(401, refusal))
    with calling(TokenSource.from_env(server.environment)) as call:
        assert call("GET", f"{server.base_url}/v1/never") == Got(401, refusal)
    assert server.api_statuses == [401, 401]
    assert server.token_requests == 2


@each_adapter
def test_a_401_stays_one_when_there_is_no_other_token(server: TokenServer, calling: With) -> None:
    """The API's own answer is told, not the trouble with the token service."""
    with calling(TokenSource.from_env(server.environment)) as call:
        assert call("GET", f"{server.base_url}/v1/endpoint").status == 200
        server.revoke_tokens()
        server.fail_always(Fault(status=503))
        assert call("GET", f"{server.base_url}/v1/endpoint").status == 401
    assert server.api_statuses == [200, 401]


@each_library
def test_m13_other_origins_see_no_token(server: TokenServer, calling: With) -> None:
    """Asked for directly: the request is sent without, and nothing is renewed for its 401."""
    with other_host(status=401) as host, calling(TokenSource.from_env(server.environment)) as call:
        assert call("GET", f"{server.base_url}/v1/endpoint").status == 200
        assert call("GET", host.url, None).status == 401
        assert set(host.seen) == {None}
    assert server.token_requests <= 2


@each_library
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_m13_redirects_to_other_origins_take_no_token_along(server: TokenServer, calling: With, status: int) -> None:
    """Another port is another origin."""
    with other_host() as host, calling(TokenSource.from_env(server.environment)) as call:
        redirecting(server, host.url, status)
        assert call("GET", f"{server.base_url}/v1/moved").status == 200
        assert host.seen == [None]


@each_adapter
def test_a_401_of_another_origin_renews_nothing(server: TokenServer, calling: With) -> None:
    """It says nothing about a token that it never saw."""
    with other_host(status=401) as host, calling(TokenSource.from_env(server.environment)) as call:
        redirecting(server, host.url)
        assert call("GET", f"{server.base_url}/v1/moved").status == 401
        assert host.seen == [None]
    assert server.token_requests == 1


@each_adapter
def test_redirects_within_the_origin_keep_the_token(server: TokenServer, calling: With) -> None:
    """And one that was renewed in between counts from then on."""
    redirecting(server, "/v1/endpoint")
    with calling(TokenSource.from_env(server.environment)) as call:
        assert call("GET", f"{server.base_url}/v1/moved").status == 200
        server.revoke_tokens()
        assert call("GET", f"{server.base_url}/v1/moved").status == 200
    assert server.token_requests == 2


@each_adapter
def test_after_a_redirect_only_what_was_refused_is_repeated(server: TokenServer, calling: With) -> None:
    """The POST that led there has been done: once more would make two of what it makes."""
    made = []

    def make(_: ApiRequest) -> ApiAnswer:
        made.append("device")
        server.revoke_tokens()
        return ApiAnswer(303, {}, {"Location": "/v1/endpoint"})

    server.answer("POST", "/v1/devices", make)
    with calling(TokenSource.from_env(server.environment)) as call:
        assert call("POST", f"{server.base_url}/v1/devices", b"one device").status == 200
    assert made == ["device"]
    assert server.api_statuses == [303, 401, 200]


@each_adapter
def test_a_redirect_that_keeps_the_body_is_repeated_with_it(server: TokenServer, calling: With) -> None:
    """With 307 the body goes to the new place, and once more when that refused the token."""

    def move(_: ApiRequest) -> ApiAnswer:
        server.revoke_tokens()
        return ApiAnswer(307, {}, {"Location": "/v1/devices"})

    server.answer("POST", "/v1/moved", move)
    server.answer("POST", "/v1/devices", lambda request: ApiAnswer(201, {"got": request.body.decode()}))
    with calling(TokenSource.from_env(server.environment)) as call:
        got = call("POST", f"{server.base_url}/v1/moved", b"one device")
    if calling is not CALLERS["urllib"]:  # which does not follow a 307 with a POST
        assert got == Got(201, {"got": "one device"})
        assert server.api_statuses == [307, 401, 201]


@each_adapter
def test_allowed_origins_get_the_token(server: TokenServer, calling: With) -> None:
    """Those that the application names, at once and after a redirect."""
    with other_host() as host:
        source = TokenSource.from_env(server.environment, allowed_origins=[host.url])
        with calling(source) as call:
            assert call("GET", host.url).status == 200
            assert host.seen == [f"Bearer {source.token()}"]


@each_library
def test_without_a_token_nothing_is_sent(server: TokenServer, calling: With) -> None:
    """The caller gets the error of the token source."""
    wrong = server.environment | {"SENSOS_APPLICATION_SECRET": "guessed"}
    with calling(TokenSource.from_env(wrong)) as call, pytest.raises(CredentialsRefused):
        call("GET", f"{server.base_url}/v1/endpoint")
    server.fail_always(Fault(status=500))
    with (
        calling(TokenSource.from_env(server.environment, patience=0.2)) as call,
        pytest.raises(TokenServiceUnavailable),
    ):
        call("GET", f"{server.base_url}/v1/endpoint")
    assert server.api_statuses == []


def test_m13_a_request_that_is_used_again_for_another_origin(server: TokenServer) -> None:
    """The standard library's requests can be changed and opened again: the token of the first time is not left on."""
    with other_host() as host:
        opener = build_opener(ProxyHandler({}), TokenHandler(TokenSource.from_env(server.environment)))
        request = Request(f"{server.base_url}/v1/endpoint")  # noqa: S310 - the test's own URLs
        for url in (f"{server.base_url}/v1/endpoint", host.url):
            request.full_url = url
            with opener.open(request, timeout=10) as answer:
                assert answer.status == 200
        assert host.seen == [None]
