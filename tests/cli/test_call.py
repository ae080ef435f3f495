"""``sensos-auth call``, against the token server of the test kit and the API behind it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sensos_auth.cli import main
from sensos_auth.testing import ApiAnswer, TokenServer, token_server


@pytest.fixture
def server() -> Iterator[TokenServer]:
    """Run a token server."""
    with token_server() as running:
        yield running


def run(server: TokenServer, home: Path, *arguments: str, stdin: str = "") -> Result:
    """Run ``call`` in the environment of an application of the server."""
    environment = {"XDG_CACHE_HOME": str(home), "HOME": str(home)} | server.environment
    return CliRunner(env=environment).invoke(main, ["call", *arguments], input=stdin)


def test_the_answer_is_printed_readably(server: TokenServer, tmp_path: Path) -> None:
    """JSON with indentation, letters as they are, and nothing that a terminal would obey."""
    server.answer(
        "GET", "/v1/devices", lambda request: ApiAnswer(200, {"name": "Tür\x9b\ud800", "query": request.query})
    )
    result = run(server, tmp_path, "get", "/v1/devices", "--param", "limit=2", "--param", "q=a=b")
    assert result.exit_code == 0
    assert '  "name": "Tür\\u009b\\ud800"' in result.stdout
    assert json.loads(result.stdout)["query"] == {"limit": "2", "q": "a=b"}
    assert (
        run(server, tmp_path, "GET", "/v1/devices", "--json").stdout
        == '{"name": "T\\u00fcr\\u009b\\ud800", "query": {}}\n'
    )


def test_the_token_is_kept_and_a_refused_one_replaced(server: TokenServer, tmp_path: Path) -> None:
    """The next call has the new one."""
    for _ in range(2):
        assert run(server, tmp_path, "GET", "/v1/endpoint").exit_code == 0
    assert server.token_requests == 1
    server.revoke_tokens()
    for _ in range(2):
        assert run(server, tmp_path, "GET", "/v1/endpoint").exit_code == 0
    assert server.token_requests == 2
    assert server.api_statuses == [200, 200, 401, 200, 200]


def test_a_new_token_is_kept_whatever_the_answer(server: TokenServer, tmp_path: Path) -> None:
    """Else every further call would be refused first, and get one more token."""
    run(server, tmp_path, "GET", "/v1/endpoint")
    server.revoke_tokens()
    for _ in range(2):
        assert run(server, tmp_path, "GET", "/v1/nothing").exit_code == 1
    assert server.api_statuses == [200, 401, 404, 404]
    assert server.token_requests == 2


def test_terminals_of_other_encodings(server: TokenServer, tmp_path: Path) -> None:
    """What they cannot show is escaped."""
    server.answer("GET", "/v1/devices", lambda _: ApiAnswer(200, {"name": "ä€😀"}))
    environment = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)} | server.environment
    result = CliRunner(charset="latin-1", env=environment).invoke(main, ["call", "GET", "/v1/devices"])
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"name": "ä€😀"})


def test_bodies(server: TokenServer, tmp_path: Path) -> None:
    """From a file or standard input; an answer without a document prints nothing."""
    server.answer("POST", "/v1/devices", lambda request: ApiAnswer(201, json.loads(request.body)))
    server.answer("DELETE", "/v1/devices", lambda _: ApiAnswer(204))
    (tmp_path / "device.json").write_text('{"name": "a"}')
    from_file = run(server, tmp_path, "POST", "/v1/devices", "--data", str(tmp_path / "device.json"))
    from_stdin = run(server, tmp_path, "POST", "/v1/devices", "--data", "-", stdin='{"name": "a"}')
    assert json.loads(from_file.stdout) == json.loads(from_stdin.stdout) == {"name": "a"}
    assert run(server, tmp_path, "DELETE", "/v1/devices").stdout == ""


def test_errors(server: TokenServer, tmp_path: Path) -> None:
    """The API's words on stderr with status 1; wrong usage is status 2, before anything is asked for."""
    missing = run(server, tmp_path, "GET", "/v1/nothing")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert "404 Not Found: There is nothing at this path" in missing.stderr
    asked = server.token_requests
    for arguments in (
        ("GET", "https://attacker.test/"),
        ("GET", "/v1/x", "--param", "novalue"),
        ("GET", "/v1/x", "--param", "a=1", "--param", "a=2"),
        ("GET", "/v1/x", "--param", "a=\udcff"),
        ("GET", "/v1/../x"),
        ("FETCH", "/v1/x"),
    ):
        assert run(server, tmp_path, *arguments, "--no-cache").exit_code == 2
    for body in ("{", "[NaN]", "1e999", '"\\ud800"', "[" * 100_000):
        assert run(server, tmp_path, "POST", "/v1/x", "--data", "-", "--no-cache", stdin=body).exit_code == 2
    assert server.token_requests == asked
