"""GET /healthz and /readyz. What they say when something is broken is in test_failures."""

import pytest

from tests.running_service import RunningService
from tests.server.contract import ask
from tests.server.raw_http import request_bytes

pytestmark = pytest.mark.engines("sqlite", "postgresql")


@pytest.mark.parametrize(("path", "body"), [("/healthz", b'{"status":"alive"}'), ("/readyz", b'{"status":"ready"}')])
def test_all_is_well(service: RunningService, path: str, body: bytes) -> None:
    """200, never from a cache."""
    answer = ask(service, request_bytes("GET", path)).answer
    assert answer is not None
    assert (answer.status, answer.body) == (200, body)
    assert answer.header("cache-control") == "no-store"
    head = ask(service, request_bytes("HEAD", path), method="HEAD").answer
    assert head is not None
    assert (head.status, head.body, head.header("content-length")) == (200, b"", str(len(body)))


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_asking_needs_and_takes_no_credentials(service: RunningService, path: str) -> None:
    """The answer is the same to whoever asks, with whatever token."""
    anonymous = service.client.get(path)
    for authorization in ("Bearer x", "Basic eDp5", ""):
        answer = service.client.get(path, headers={"Authorization": authorization})
        assert (answer.status_code, answer.content) == (200, anonymous.content)
