"""One way to ask all gateways, and what a client and the API behind got of it."""

import json
from dataclasses import dataclass
from typing import Any

from tests.gateways.programs import Gateway
from tests.running_service import ExampleApplication
from tests.server.contract import INVALID_TOKEN
from tests.server.raw_http import RawAnswer, RawConnection, request_bytes

ASKS_SENSOS_AUTH = {"nginx", "caddy"}  # the others verify by themselves
IDENTITY = ("x-sensos-tenant-id", "x-sensos-application-id", "x-sensos-scope", "x-sensos-token-id")

Headers = list[tuple[str, str]]


@dataclass
class Tried:
    """What the client got, and what the API got: nothing, if the request did not pass."""

    answer: RawAnswer
    api: dict[str, Any] | None

    @property
    def status(self) -> int:
        """Return the status that the client got."""
        return self.answer.status

    def identity(self) -> dict[str, str]:
        """Return the identity headers that the API got; empty ones and missing ones are alike."""
        assert self.api is not None
        got = [(name, value) for name, value in self.api["headers"] if "sensos" in name and value]
        assert len(dict(got)) == len(got), "a header came twice"
        return dict(got)

    def headers(self, name: str) -> list[str]:
        """Return the values of a header that the API got."""
        assert self.api is not None
        return [value for given, value in self.api["headers"] if given == name]


def send(connection: RawConnection, method: str, path: str, headers: Headers, body: bytes = b"") -> Tried:
    """Return what came of a request on this connection."""
    connection.send(request_bytes(method, path, [*headers], body))
    answer = connection.read_answer(method)
    assert answer is not None
    echo = answer.header("x-echo")
    return Tried(answer, None if echo is None else json.loads(echo))


def ask(
    gateway: Gateway, token: str | None, *headers: tuple[str, str], method: str = "GET", path: str = "/things"
) -> Tried:
    """Return what came of a request on a connection of its own."""
    bearer = [] if token is None else [("Authorization", f"Bearer {token}")]
    with RawConnection(gateway.port) as connection:
        return send(connection, method, path, [*bearer, *headers])


def assert_caller(tried: Tried, application: ExampleApplication, scope: str = "") -> None:
    """Fail unless the request passed, and the API was told that it is this application's."""
    assert tried.status in {200, 101}, tried.answer
    identity = tried.identity()
    assert len(identity.pop("x-sensos-token-id")) == 22
    assert identity == {
        "x-sensos-tenant-id": application.tenant_id,
        "x-sensos-application-id": application.application_id,
    } | ({"x-sensos-scope": scope} if scope else {})


def assert_refused(gateway: Gateway, tried: Tried, challenge: str) -> None:
    """Fail unless this is the contract's 401, and nothing reached the API."""
    assert tried.api is None
    assert tried.status == 401, tried.answer
    assert tried.answer.header("content-type") == "application/json"
    assert tried.answer.header("cache-control") == "no-store"
    assert json.loads(tried.answer.body) == {"error": "Unauthorized", "message": INVALID_TOKEN}
    given = tried.answer.header("www-authenticate")
    # mod_oauth2 words the challenge for a token that it refused, and no configuration changes that.
    assert given == challenge or (gateway.name == "apache" and (given or "").startswith(f"{challenge}, "))
