"""The token server of the test kit keeps the contract of the real one, where it is not told to break it."""

import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from sensos_auth.testing import ApiAnswer, Fault, TokenServer, token_server
from sensos_auth.testing.answering import ApiFunction
from tests.client.certificates import new_authority
from tests.running_service import running_service


def token_of(server: TokenServer, **changes: object) -> httpx2.Response:
    """Return the answer to a token request."""
    names = {"tenantId": server.tenant_id, "applicationId": server.application_id, "applicationSecret": server.secret}
    return httpx2.post(f"{server.base_url}/v1/applications/token", json=names | changes, trust_env=False)


def test_it_answers_as_the_service_does(server: TokenServer, tmp_path: Path) -> None:
    """Status, body and the headers that matter are those of the real service, for good and bad requests."""

    def told(answer: httpx2.Response) -> tuple[object, ...]:
        document = answer.json()
        shown = sorted(document) if answer.status_code == 200 else document
        return answer.status_code, shown, answer.headers.get("cache-control"), answer.headers["content-type"]

    with running_service(tmp_path, at_once=True) as service:
        application = service.new_application()
        for changes in ({}, {"applicationSecret": "guessed"}):
            assert told(token_of(server, **changes)) == told(service.ask(application, **changes))
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            real = service.client.get("/v1/endpoint", headers=headers)
            ours = httpx2.get(f"{server.base_url}/v1/endpoint", headers=headers, trust_env=False)
            assert (ours.status_code, ours.json()) == (real.status_code, real.json())
            assert ours.headers["www-authenticate"].startswith("Bearer")


def test_tokens_open_the_api_until_they_end() -> None:
    """By their lifetime, or because the test revoked them."""
    with token_server(lifetime=1) as server:
        headers = {"Authorization": f"Bearer {token_of(server).json()['accessToken']}"}
        url = f"{server.base_url}/v1/endpoint"
        assert httpx2.get(url, headers=headers, trust_env=False).json()["applicationId"] == server.application_id
        time.sleep(1.0)
        assert httpx2.get(url, headers=headers, trust_env=False).status_code == 401
        server.lifetime = 100
        headers = {"Authorization": f"Bearer {token_of(server).json()['accessToken']}"}
        server.revoke_tokens()
        assert httpx2.get(url, headers=headers, trust_env=False).status_code == 401
        assert server.api_statuses == [200, 401, 401]


def test_secrets_rotate(server: TokenServer) -> None:
    """The old one is refused at once, or goes on, as the test wants it."""
    old = server.secret
    server.rotate_secret(keep_old=True)
    assert token_of(server, applicationSecret=old).status_code == 200
    server.rotate_secret()
    assert token_of(server, applicationSecret=old).status_code == 401
    assert token_of(server).status_code == 200


def test_faults_come_in_order_and_end(server: TokenServer) -> None:
    """First those that were asked for, then the standing one, then none."""
    server.fail_next(Fault(status=503, headers={"Retry-After": "1"}), times=2)
    server.fail_always(Fault(status=500))
    answers = [token_of(server) for _ in range(3)]
    server.fail_always(None)
    answers.append(token_of(server))
    assert [answer.status_code for answer in answers] == [503, 503, 500, 200]
    assert answers[0].headers["retry-after"] == "1"
    assert server.token_requests == 4


@pytest.mark.parametrize("fault", [Fault(dropped=True), Fault(truncated=True)])
def test_answers_that_break_off(server: TokenServer, fault: Fault) -> None:
    """Before, or in the middle."""
    server.fail_next(fault)
    with pytest.raises(httpx2.RemoteProtocolError):
        token_of(server)


def test_an_api_of_the_tests_own(server: TokenServer) -> None:
    """A function answers requests with a good token."""
    server.answer(
        "POST", "/v1/devices", lambda request: ApiAnswer(201, {"got": request.body.decode(), **request.query})
    )
    headers = {"Authorization": f"Bearer {token_of(server).json()['accessToken']}"}
    answer = httpx2.post(f"{server.base_url}/v1/devices?a=b&c=", content="x", headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()) == (201, {"got": "x", "a": "b", "c": ""})
    assert httpx2.get(f"{server.base_url}/v1/nothing", headers=headers, trust_env=False).status_code == 404


@pytest.mark.parametrize("status", [520, 599])
def test_statuses_without_a_name(server: TokenServer, status: int) -> None:
    """Gateways have statuses of their own."""
    server.fail_next(Fault(status=status))
    assert (token_of(server).status_code, token_of(server).status_code) == (status, 200)


def test_headers_take_the_place_of_the_usual_ones(server: TokenServer) -> None:
    """However they are written: an answer has one type and one length, and both may lie."""
    server.fail_next(Fault(status=200, body=b"<html>", headers={"CONTENT-TYPE": "text/html"}))
    assert token_of(server).headers.get_list("content-type") == ["text/html"]
    server.fail_next(Fault(status=200, body=b"{}more", headers={"content-length": "2"}))
    assert token_of(server).content == b"{}"


def test_it_is_gone_at_the_end() -> None:
    """Also for who has a connection to it: a test of an outage must not be answered."""
    with httpx2.Client(trust_env=False) as client:
        with token_server() as server:
            url = f"{server.base_url}/.well-known/jwks.json"
            assert client.get(url).status_code == 200
        with pytest.raises(httpx2.TransportError):
            client.get(url)


def test_it_ends_while_somebody_does_not_speak_tls(tmp_path: Path) -> None:
    """And answers the others meanwhile."""
    authority = new_authority(tmp_path)
    began = time.monotonic()
    with token_server(tls=authority.server_context(tmp_path, "127.0.0.1")) as server:
        port = urlsplit(server.base_url).port
        with socket.create_connection(("127.0.0.1", port)), httpx2.Client(trust_env=False, verify=False) as client:
            assert client.get(f"{server.base_url}/v1/endpoint", timeout=5).status_code == 401
    assert time.monotonic() - began < 5


def test_it_leaves_no_thread_behind() -> None:
    """Once its connections are closed."""
    before = threading.active_count()
    with token_server() as server, httpx2.Client(trust_env=False) as client:
        client.get(f"{server.base_url}/v1/endpoint")
    give_up_at = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert threading.active_count() <= before


@pytest.mark.parametrize(
    "mistake",
    [lambda _: ApiAnswer(int("missing")), lambda _: ApiAnswer(200, object())],
    ids=["an exception", "no JSON"],
)
def test_mistakes_in_a_tests_own_api_are_shown(
    server: TokenServer, mistake: ApiFunction, capsys: pytest.CaptureFixture[str]
) -> None:
    """With their place, on stderr, where pytest shows them beside the failure; the caller gets status 500."""
    server.answer("GET", "/v1/devices", mistake)
    headers = {"Authorization": f"Bearer {token_of(server).json()['accessToken']}"}
    answer = httpx2.get(f"{server.base_url}/v1/devices", headers=headers, trust_env=False)
    assert (answer.status_code, answer.json()["error"]) == (500, "Internal Server Error")
    assert server.api_statuses == [500]
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "eyJ" not in shown
