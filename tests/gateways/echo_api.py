"""The API behind the gateways: answers with what reached it."""

import base64
import hashlib
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    seen: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the base class asks for do_GET and the like
        if name.startswith("do_"):
            return self._echo
        raise AttributeError(name)

    def _echo(self) -> None:
        type(self).seen.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        told = {"method": self.command, "path": self.path, "headers": headers, "bodyLength": len(body)}
        answer = json.dumps(told).encode()
        if self.headers.get("Upgrade") == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", _websocket_accept(self.headers.get("Sec-WebSocket-Key", "")))
            self.send_header("X-Echo", answer.decode())
            self.end_headers()
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("X-Echo", answer.decode())
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""


def _websocket_accept(key: str) -> str:
    # RFC 6455 section 4.2.2; HAProxy looks at it.
    digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class has it
        """Say nothing of a gateway that resets a connection it needs no more."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class EchoApi:
    """``port`` is where it listens; ``seen`` are the paths of the requests that reached it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen = _Echo.seen


@contextmanager
def running_echo_api() -> Iterator[EchoApi]:
    """Run it for as long as the block lasts."""
    server = _Server(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield EchoApi(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()
