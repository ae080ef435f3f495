"""An ASGI application that reads the body and answers fixed bytes: what the HTTP server alone can do."""

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

_ANSWER = json.loads(Path(os.environ["BARE_ANSWER"]).read_text())
_BODY = _ANSWER["body"].encode()
_HEADERS = [(name.encode(), value.encode()) for name, value in _ANSWER["headers"]]


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Answer every request with the same 200."""
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})
