"""What requests alone does: it keeps the header from http to https on the same host."""

import io
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from sensos_auth.client import TokenSource
from sensos_auth.client.requests import TokenAuth
from sensos_auth.testing import ApiAnswer, TokenServer


class Answers(BaseAdapter):
    """Answers from memory: a redirect from http to https, because nobody here may listen on ports 80 and 443."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str | None, str | None]] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:  # noqa: ANN401 - as there
        """Return the answer."""
        self.seen.append((request.url, request.headers.get("Authorization")))
        response = requests.Response()
        response.request = request
        response.url = str(request.url)
        response.raw = HTTPResponse(io.BytesIO(), preload_content=False)
        response.status_code = 200
        if response.url.startswith("http:"):
            response.status_code = 302
            response.headers["location"] = "https://localhost/"
        return response

    def close(self) -> None:
        """Do nothing."""


def test_m13_a_redirect_to_https_is_another_origin(server: TokenServer) -> None:
    """Unless it was named, it sees no token."""
    source = TokenSource.from_env(server.environment, allowed_origins=["http://localhost"])
    answers = Answers()
    with requests.Session() as session:
        session.auth = TokenAuth(source)
        session.mount("http://", answers)
        session.mount("https://", answers)
        session.get("http://localhost/", timeout=5)
    assert answers.seen == [("http://localhost/", f"Bearer {source.token()}"), ("https://localhost/", None)]


def test_a_prepared_request_is_sent_for_days(server: TokenServer) -> None:
    """It is prepared, and gets its token, only once; each time that it is refused it gets another."""
    with requests.Session() as session:
        session.auth = TokenAuth(TokenSource.from_env(server.environment))
        session.trust_env = False
        prepared = session.prepare_request(requests.Request("GET", f"{server.base_url}/v1/endpoint"))
        for _ in range(3):
            assert session.send(prepared, timeout=5).status_code == 200
            server.revoke_tokens()
    assert server.api_statuses == [200, 401, 200, 401, 200]
    assert server.token_requests == 3


def test_a_token_that_was_replaced_meanwhile_is_not_renewed_again(server: TokenServer) -> None:
    """Two requests were prepared with the same token: the first 401 brings the next, and the second takes that."""
    with requests.Session() as session:
        session.auth = TokenAuth(TokenSource.from_env(server.environment))
        session.trust_env = False
        request = requests.Request("GET", f"{server.base_url}/v1/endpoint")
        both = [session.prepare_request(request) for _ in range(2)]
        server.revoke_tokens()
        assert [session.send(each, timeout=5).status_code for each in both] == [200, 200]
    assert server.token_requests == 2


def test_a_password_of_a_netrc_file_is_not_mistaken_for_a_token(
    server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a redirect, requests puts the password in the token's place: its 401 says nothing of the token."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login driver password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server.answer("GET", "/v1/moved", lambda _: ApiAnswer(302, {}, {"Location": "/v1/endpoint"}))
    with requests.Session() as session:
        session.auth = TokenAuth(TokenSource.from_env(server.environment))
        assert session.get(f"{server.base_url}/v1/moved", timeout=5).status_code == 401
    assert server.token_requests == 1
