"""Calls an ASGI application in this process, where no socket is needed to show what it does."""

import asyncio
from collections.abc import Iterable
from typing import Any

from sensos_auth.server.asgi import Application, Message, Scope


def http_scope(method: str = "GET", path: str = "/", *headers: tuple[bytes, bytes]) -> Scope:
    """Return the scope of a request."""
    return {"type": "http", "method": method, "path": path, "headers": list(headers), "query_string": b""}


def call(application: Application, scope: Scope, *messages: Message) -> list[Any]:
    """Return what the application sends when it receives the messages; without any, it receives an empty body."""
    sent: list[Any] = []
    waiting = list(messages or [{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.sleep(3600)
        raise AssertionError("nobody waits for so long")

    async def send(message: Message) -> None:
        sent.append(dict(message))

    asyncio.run(_run(application, scope, receive, send))
    return sent


async def _run(application: Application, scope: Scope, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's callables
    await application(scope, receive, send)


def body_messages(*parts: bytes) -> Iterable[Message]:
    """Return the messages that bring a body in these parts."""
    return [
        {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
        for number, part in enumerate(parts)
    ]
