"""A real HTTP server on a loopback port, for what a JWKS URL may answer."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class JwksServer:
    """What the server answers now, and what it was asked: paths, and the headers of the last request."""

    url: str
    answer: Answer
    paths: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


def document(body: bytes | str, status: int = 200, **headers: str) -> Answer:
    """Return the answer with this body."""
    content = body.encode() if isinstance(body, str) else body

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


@contextmanager
def serving(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[JwksServer]:
    """Serve the answer on a free port until the end of the block, over TLS with a context; it may be exchanged."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            jwks_server.paths.append(self.path)
            jwks_server.headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                jwks_server.answer(self)
            except OSError:
                self.close_connection = True  # the client went away, as it should

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that breaks off is no error here
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "http" if context is None else "https"
    jwks_server = JwksServer(f"{scheme}://127.0.0.1:{server.server_address[1]}/jwks.json", answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield jwks_server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
