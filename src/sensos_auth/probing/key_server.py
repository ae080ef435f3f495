"""A place on this machine where a token's ``jku`` and ``x5u`` lead to, and where it is noticed if somebody comes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sensos_auth.probing.tokens import OwnKeys

JWKS_PATH = "/jwks.json"
CERTIFICATE_PATH = "/certificate.pem"


class KeyServer:
    """Serves the probe's own public keys, and remembers which paths were asked for."""

    def __init__(self, port: int, visits: set[str]) -> None:
        self._port = port
        self._visits = visits

    def url(self, path: str) -> str:
        """Return the URL of a path."""
        return f"http://127.0.0.1:{self._port}{path}"

    def was_asked_for(self, path: str) -> bool:
        """Tell whether somebody has fetched the path."""
        return path in self._visits


@contextmanager
def serving(keys: OwnKeys, kid: str) -> Iterator[KeyServer]:
    """Serve the own EC key, under the key ID of the issuer's, on a free port of 127.0.0.1 for as long as the block."""
    visits: set[str] = set()
    jwk = {**keys.public_jwk(), "kid": kid, "use": "sig", "alg": "ES256"}
    documents = {JWKS_PATH: json.dumps({"keys": [jwk]}).encode(), CERTIFICATE_PATH: keys.certificate_pem()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visits.add(self.path)
            document = documents.get(self.path, b"")
            self.send_response(200 if document else 404)
            self.send_header("Content-Type", "application/json" if self.path == JWKS_PATH else "application/x-pem-file")
            self.send_header("Content-Length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_: object) -> None:
            """Say nothing: the report does."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield KeyServer(server.server_port, visits)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
