"""Which endpoint answers which path."""

import pytest

from sensos_auth.server.answers import NOT_FOUND, json_answer
from sensos_auth.server.asgi import Receive, Scope, Send
from sensos_auth.server.routing import Router
from tests.server.asgi_calls import call, http_scope


async def here(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer 200."""
    await json_answer(b'"here"').send(send)


def test_path_leads_to_its_endpoint() -> None:
    """With any method: the endpoint knows which it answers."""
    for method in ("GET", "BREW"):
        start, body = call(Router({"/here": here}), http_scope(method, "/here"))
        assert (start["status"], body["body"]) == (200, b'"here"')


@pytest.mark.parametrize(
    "path", ["/", "", "/HERE", "/here/", "//here", "/here/..", "/here\0", "here", "/here?x", "/h\u00e9re"]
)
def test_b16_any_other_path_is_404(path: str) -> None:
    """Nothing is normalised."""
    start, body = call(Router({"/here": here}), http_scope("GET", path))
    assert (start["status"], body["body"]) == (404, NOT_FOUND.body)
