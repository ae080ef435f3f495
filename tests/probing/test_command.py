"""The command itself: where the token comes from and goes to, what is refused as usage, exit status, reports."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.probing.stub_service import GOOD, Heard, Reply, probe, right, stub_service


def test_a_right_service_has_no_findings() -> None:
    """Status 0, and the sum says that the good token was accepted before and after."""
    with stub_service(right) as url:
        result = probe(url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "0 got through, 0 leaked, 0 breaks a standard, 0 advice" in result.stdout
    assert "the good token was accepted before and after" in result.stdout


def test_a_service_that_refuses_the_good_token_proves_nothing() -> None:
    """Status 1, and no bad request is sent: the refusals would prove nothing."""
    asked: list[Heard] = []

    def refuse(heard: Heard) -> Reply:
        asked.append(heard)
        return Reply(401, b"", {"WWW-Authenticate": "Bearer"})

    with stub_service(refuse) as url:
        result = probe(url)
    assert result.exit_code == 1
    assert "CONTROL FAILED: the good token is not accepted (401)" in result.stdout
    assert len(asked) == 1


def test_a_service_that_gives_up_in_between_is_a_failed_control() -> None:
    """The good token is shown again at the end."""
    broken: list[bool] = []

    def answer(heard: Heard) -> Reply:
        if heard.method == "DELETE":
            broken.append(True)
        return Reply(401, b"", {"WWW-Authenticate": "Bearer"}) if broken and heard.is_good else right(heard)

    with stub_service(answer) as url:
        result = probe(url)
    assert result.exit_code == 1
    assert "CONTROL FAILED: the good token was accepted before the bad requests, but not after them" in result.stdout


def test_nobody_listens() -> None:
    """The control fails, in words."""
    with stub_service(right) as url:
        pass
    result = probe(url)
    assert result.exit_code == 1
    assert "the good token is not accepted (no connection)" in result.stdout


def test_a_service_that_limits_requests_is_not_said_to_be_safe() -> None:
    """What got 429 is not counted as refused, but named as not run."""

    def answer(heard: Heard) -> Reply:
        return right(heard) if heard.is_good or heard.path != "/v1/vehicles" else Reply(429)

    with stub_service(answer) as url:
        result = probe(url, "--json")
    document = json.loads(result.stdout)
    assert {each["group"] for each in document["tried"]}.isdisjoint({"algorithm", "token header"})
    assert "proves nothing: the service limits requests (429)" in {each["reason"] for each in document["notRun"]}


def test_a_service_that_hangs_is_left_after_three_requests() -> None:
    """Each request has its time, and the whole has an end; what was left out is named."""

    def answer(heard: Heard) -> Reply:
        if not heard.is_good:
            time.sleep(0.4)
        return right(heard)

    with stub_service(answer) as url:
        result = probe(url, "--json", "--timeout", "0.1")
    document = json.loads(result.stdout)
    assert [finding["title"] for finding in document["findings"]] == ["Leaves a bad request without an answer"]
    assert len(document["findings"][0]["probes"]) == 3
    assert "left out: the service had stopped answering" in {each["reason"] for each in document["notRun"]}


def test_redirects_are_not_followed() -> None:
    """The token stays with the host of the URL; a redirect is not a 401."""
    strangers: list[Heard] = []

    def remember(heard: Heard) -> Reply:
        strangers.append(heard)
        return Reply(200)

    with stub_service(remember) as elsewhere:

        def answer(heard: Heard) -> Reply:
            return right(heard) if heard.is_good else Reply(302, b"", {"Location": elsewhere})

        with stub_service(answer) as url:
            result = probe(url)
    assert strangers == []
    assert "Refuses with another status than 401" in result.stdout


def test_only_safe_methods() -> None:
    """Nothing is sent that could change something, and what was left out is named."""
    methods: set[str] = set()

    def answer(heard: Heard) -> Reply:
        methods.add(heard.method)
        return right(heard)

    with stub_service(answer) as url:
        result = probe(url, "--only-safe-methods")
    assert result.exit_code == 0
    assert methods == {"GET", "HEAD", "OPTIONS", "TRACE"}
    assert "left out by --only-safe-methods" in result.stdout


def test_fail_on_decides_the_status_and_not_the_report(tmp_path: Path) -> None:
    """A finding that is less severe is told, and fails neither the command nor the JUnit report."""

    def answer(heard: Heard) -> Reply:
        reply = right(heard)
        return replace(reply, headers={}) if reply.status == 401 else reply

    junit = tmp_path / "probe.xml"
    with stub_service(answer) as url:
        assert probe(url).exit_code == 1
        result = probe(url, "--fail-on", "leaked", "--junit", str(junit))
    assert result.exit_code == 0
    assert "Answers 401 without WWW-Authenticate: Bearer." in result.stdout
    suites = ET.fromstring(junit.read_bytes())  # noqa: S314 - our own
    assert suites.findall(".//failure") == []
    assert len(suites.findall(".//system-out")) > 100


def test_findings_fail_the_junit_report(tmp_path: Path) -> None:
    """Each probe that found something is a failed case, with the meaning and the remedy; suites count them."""

    def answer(heard: Heard) -> Reply:
        return Reply(200, b"a vehicle") if heard.method == "DELETE" else right(heard)

    junit = tmp_path / "probe.xml"
    with stub_service(answer) as url:
        assert probe(url, "--junit", str(junit)).exit_code == 1
    suites = ET.fromstring(junit.read_bytes())  # noqa: S314 - our own
    (failure,) = suites.findall(".//testcase[@name='DELETE']/failure")
    assert failure.get("message") == "got through: Answers another method without a token"
    assert "Mend: " in (failure.text or "")
    assert [suite.get("failures") for suite in suites if suite.get("name") == "methods"] == ["1"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/v1/vehicles",
        "127.0.0.1/v1/vehicles",
        "http://user:secret@127.0.0.1/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1:x/",
        "http://[::1/",
        "http://api.example.com/v1/vehicles",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    """Status 2, without the URL, and nothing is sent: plain http to another machine needs to be allowed."""
    result = probe(url)
    assert result.exit_code == 2
    assert url not in result.output


@pytest.mark.parametrize("text", ["nonsense", "a.b.c", "e30.e30", f"{GOOD}.", "W10.W10.AA"])
def test_what_is_no_token_is_refused(text: str) -> None:
    """Status 2, without the text."""
    result = probe("http://127.0.0.1:1/", stdin=text)
    assert result.exit_code == 2
    assert "the token is no JWT" in result.output
    assert text not in result.output.replace("a JWT", "")


def test_missing_credentials_are_named() -> None:
    """Status 2, and what to set."""
    result = probe("http://127.0.0.1:1/", stdin="")
    assert result.exit_code == 2
    assert "set SENSOS_BASE_URL (or SENSOS_BASE_URL_FILE), or pass --token-file" in result.output


def test_credentials_from_files_and_an_issuer_that_gives_a_token(tmp_path: Path) -> None:
    """Each variable also as …_FILE. The JWKS is the issuer's; without one the report names what is missing."""

    def issue(heard: Heard) -> Reply:
        if (heard.method, heard.path) == ("POST", "/v1/applications/token"):
            return Reply(200, json.dumps({"accessToken": GOOD, "expiresIn": 600}).encode())
        return Reply(404)

    secret = tmp_path / "secret"
    secret.write_text("sensos_sk_made_up\n")
    with stub_service(issue) as issuer, stub_service(right) as url:
        environment = {
            "SENSOS_BASE_URL": issuer.removesuffix("/v1/vehicles"),
            "SENSOS_TENANT_ID": "ten_a",
            "SENSOS_APPLICATION_ID": "app_a",
            "SENSOS_APPLICATION_SECRET_FILE": str(secret),
        }
        result = probe(url, stdin="", **environment)
        assert result.exit_code == 0
        assert "needs the issuer's JWKS, which could not be had" in result.stdout
        result = probe(url, "--jwks", f"{issuer}/jwks.json", stdin="", **environment)
    assert result.exit_code == 1
    assert "the JWKS is not to be had" in result.output


def test_an_issuer_that_gives_no_token() -> None:
    """Status 1, with what it answers and without the secret."""
    with stub_service(lambda _: Reply(401, b"sensos_sk_made_up")) as issuer:
        environment = dict.fromkeys(
            ("SENSOS_TENANT_ID", "SENSOS_APPLICATION_ID", "SENSOS_APPLICATION_SECRET"), "sensos_sk_made_up"
        )
        result = probe(
            "http://127.0.0.1:1/", stdin="", SENSOS_BASE_URL=issuer.removesuffix("/v1/vehicles"), **environment
        )
    assert result.exit_code == 1
    assert "the issuer gives no token" in result.output
    assert "made_up" not in result.output


def test_the_service_need_not_be_installed() -> None:
    """Where only verifiers are, probing works; --with-registry says what is missing."""
    without_engine = "import sys; sys.modules['apsw'] = None; from sensos_auth.cli import main; main(sys.argv[1:])"
    with stub_service(right) as url:
        command = [sys.executable, "-c", without_engine, "probe", url, "--token-file", "-"]
        ended = subprocess.run(command, input=GOOD, capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")
        command.append("--with-registry")
        ended = subprocess.run(command, input=GOOD, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "--with-registry needs the package apsw: run pip install 'sensos-auth[server]'" in ended.stderr
