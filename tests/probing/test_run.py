"""What is found in services that are wrong in ways the examples are not."""

import base64
import json
import urllib.request
from dataclasses import replace
from typing import Any

from sensos_auth.probing import faults
from tests.probing.probing import titles
from tests.probing.stub_service import INVALID, Heard, Reply, probe, right, stub_service


def report(url: str, *arguments: str) -> Any:  # noqa: ANN401 - a JSON object
    """Probe, and return the report."""
    return json.loads(probe(url, "--json", *arguments).stdout)


def test_an_open_endpoint_is_one_finding() -> None:
    """What follows from it is told with it: not twenty other holes."""

    def answer(heard: Heard) -> Reply:
        return Reply(200, b"a vehicle") if "/v1/vehicles" in heard.path else Reply(404)

    with stub_service(answer) as url:
        found = report(url)
    assert titles(found) == {faults.OPEN.title, faults.METHOD.title, faults.TRACE.title}


def test_a_check_that_fails_open() -> None:
    """Whatever is no JWT gets through: an exception was swallowed."""

    def answer(heard: Heard) -> Reply:
        shown = "".join(heard.authorization)
        return Reply(200, b"a vehicle") if shown.startswith("Bearer ") and shown.count(".") != 2 else right(heard)

    with stub_service(answer) as url:
        assert faults.FAILS_OPEN.title in titles(report(url))


def test_headers_about_the_caller_are_believed() -> None:
    """A good token, and another tenant's name in a header, gives the other tenant."""

    def answer(heard: Heard) -> Reply:
        tenant = heard.headers.get("X-Sensos-Tenant-Id", "ten_a")
        return Reply(200, f"a vehicle of {tenant}".encode()) if heard.is_good else right(heard)

    with stub_service(answer) as url:
        assert titles(report(url)) == {faults.IDENTITY.title}


def test_a_url_in_the_token_is_fetched() -> None:
    """That the token is refused afterwards does not matter."""

    def answer(heard: Heard) -> Reply:
        header = "".join(heard.authorization).removeprefix("Bearer ").partition(".")[0]
        try:
            url = json.loads(base64.urlsafe_b64decode(header + "==")).get("jku", "")
        except ValueError:
            url = ""
        if url.startswith("http://127.0.0.1"):
            urllib.request.urlopen(url).close()  # noqa: S310 - the mistake
        return right(heard)

    with stub_service(answer) as url:
        found = report(url)
    assert titles(found) == {faults.FETCHES.title}
    assert [each["name"] for each in found["findings"][0]["probes"]] == ["own key, jku of a server of the probe's own"]


def test_a_page_that_is_everywhere_is_no_hole() -> None:
    """A service that answers its start page where there is nothing opens nothing by that."""

    def answer(heard: Heard) -> Reply:
        is_endpoint = heard.path.partition("?")[0] == "/v1/vehicles"
        return right(heard) if is_endpoint or "://" in heard.path else Reply(200, b"<h1>Welcome</h1>")

    with stub_service(answer) as url:
        assert titles(report(url)) == set()


def test_options_that_names_the_methods_is_no_hole() -> None:
    """Allow and CORS headers tell nothing that is a secret."""

    def answer(heard: Heard) -> Reply:
        return Reply(200, b"", {"Allow": "GET, HEAD"}) if heard.method == "OPTIONS" else right(heard)

    with stub_service(answer) as url:
        assert titles(report(url)) == set()


def test_an_oracle() -> None:
    """Different answers to different bad tokens are one finding, with an example of each kind."""

    def answer(heard: Heard) -> Reply:
        reply = right(heard)
        is_long = len("".join(heard.authorization)) > 500
        return replace(reply, body=b"too long" if is_long else b"bad") if reply == INVALID else reply

    with stub_service(answer) as url:
        found = report(url)
    assert titles(found) == {faults.ORACLE.title}
    assert len(found["findings"][0]["probes"]) == 2


def test_request_ids_are_no_oracle() -> None:
    """What differs by itself says nothing."""
    count = 0

    def answer(heard: Heard) -> Reply:
        nonlocal count
        count += 1
        return replace(right(heard), body=f'{{"requestId":"{count:024x}"}}'.encode())

    with stub_service(answer) as url:
        assert titles(report(url)) == set()
