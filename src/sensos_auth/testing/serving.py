"""A token server on a loopback port, with a small API behind it: what an integrator's own tests talk to."""

import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sensos_auth.model.lifetime import DEFAULT_LIFETIME
from sensos_auth.testing.answering import ApiRequest, TokenServer, error_of
from sensos_auth.testing.faults import Fault

_TOKEN_PATH = "/v1/applications/token"  # noqa: S105 - a path
_JWKS_PATH = "/.well-known/jwks.json"


@contextmanager
def token_server(*, lifetime: int = DEFAULT_LIFETIME, tls: ssl.SSLContext | None = None) -> Iterator[TokenServer]:
    """Run a token server on a free port of 127.0.0.1 until the end of the block; over TLS with a context."""
    scheme = "http" if tls is None else "https"
    listener = _Listener(("127.0.0.1", 0), _Handler)
    if tls is not None:
        # The handshake is each connection's own affair: one that does not speak keeps nobody else waiting.
        listener.socket = tls.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    listener.token_server = TokenServer(f"{scheme}://127.0.0.1:{listener.server_address[1]}", lifetime)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield listener.token_server
    finally:
        listener.shutdown()
        thread.join()
        listener.hang_up()
        listener.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512
    token_server: TokenServer

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._connections: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has them
        """Serve a connection, and remember it."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as above
        """Close a connection, and forget it."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that are open still: nobody who kept one gets an answer any more."""
        for connection in self._connections.copy():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as above
        """Say what went wrong, unless it is a client that broke off."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, *_: object) -> None:
        """Print nothing into somebody's tests."""

    def _serve(self) -> None:
        body = self._read_body()
        parts = urlsplit(self.path)
        state = self.server.token_server
        if parts.path == _TOKEN_PATH and self.command == "POST":
            self._serve_token(state, body)
        elif parts.path == _JWKS_PATH:
            self._send(200, state.issuer.jwks().encode(), {"Cache-Control": "public, max-age=300"})
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = state.call(
                ApiRequest(
                    self.command, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body
                )
            )
            self._send(answer.status, answer.content(), answer.headers)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the standard library's names

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):  # RFC 9112 section 7.1, without extensions and trailers
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _serve_token(self, state: TokenServer, body: bytes) -> None:
        fault = state.take_fault() or Fault()
        time.sleep(fault.delay)
        if fault.dropped:
            self.close_connection = True
            return
        status, members = (fault.status, {}) if fault.status is not None else state.issue(body)
        if not members:
            members = error_of(status, "As the test asked for")
        answer = json.dumps(members).encode() if fault.body is None else fault.body
        self._send(status, answer, {"Cache-Control": "no-store", **fault.headers}, fault)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], fault: Fault | None = None) -> None:
        self.send_response(status)
        usual = {"content-type": "application/json", "content-length": str(len(body))}
        for name, value in (usual | {name.lower(): value for name, value in headers.items()}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault is not None and fault.truncated:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif fault is not None and fault.drip:
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(fault.drip)
        else:
            self.wfile.write(body)
