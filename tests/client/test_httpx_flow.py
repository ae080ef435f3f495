"""What httpx and httpx2 do on their own: they show international names decoded."""

from typing import Any

import httpx
import httpx2
import pytest

import sensos_auth.client.httpx
import sensos_auth.client.httpx2
from sensos_auth.client import Credentials, TokenSource
from tests.client.simulated import SECRET, World


@pytest.mark.parametrize("library", [httpx2, httpx], ids=["httpx2", "httpx"])
@pytest.mark.parametrize("host", ["xn--bcher-kva.example", "bücher.example", "BÜCHER.example"])
def test_m04_international_names(library: Any, host: str) -> None:  # noqa: ANN401 - either module
    """The base URL has the name in ASCII; however a request writes it, it is the same host, and gets the token."""
    source = TokenSource(
        Credentials("ten_a", "app_a", SECRET), "https://xn--bcher-kva.example", surroundings=World().surroundings()
    )
    adapter = sensos_auth.client.httpx if library is httpx else sensos_auth.client.httpx2
    seen = []

    def answer(request: Any) -> Any:  # noqa: ANN401 - the library's own
        seen.append(request.headers.get("Authorization"))
        return library.Response(200)

    with library.Client(auth=adapter.TokenAuth(source), transport=library.MockTransport(answer)) as client:
        client.get(f"https://{host}/v1/devices")
        client.get("https://xn--bcher-kva.example.attacker.test/")
    assert seen == [f"Bearer {source.token()}", None]
