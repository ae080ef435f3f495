"""Services that answer as a test says, on a real port, and a good token for them."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from click.testing import CliRunner, Result

from sensos_auth.cli import main
from sensos_auth.probing.tokens import OwnKeys, token

KEYS = OwnKeys()
CLAIMS = {"iss": "http://127.0.0.1:1", "aud": "sensos-api", "sub": "app_a", "client_id": "app_a", "tenant_id": "ten_a"}
GOOD = token({"alg": "ES256", "typ": "at+jwt", "kid": "a"}, {**CLAIMS, "exp": int(time.time()) + 600}, KEYS.es256)


@dataclass(frozen=True)
class Reply:
    """What the service says."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Heard:
    """What the service was asked; ``authorization`` are all headers of that name."""

    method: str
    path: str
    authorization: list[str]
    headers: Mapping[str, str]

    @property
    def is_good(self) -> bool:
        """Tell whether it shows the good token as it should."""
        return self.authorization in ([f"{scheme} {GOOD}"] for scheme in ("Bearer", "bearer", "BEARER"))


MISSING = Reply(401, b"", {"WWW-Authenticate": "Bearer"})
INVALID = Reply(401, b"", {"WWW-Authenticate": 'Bearer error="invalid_token"'})


def right(heard: Heard) -> Reply:
    """Answer as a service should."""
    if heard.is_good:
        return Reply(200, b"a vehicle") if heard.method in {"GET", "HEAD"} else Reply(405)
    scheme = heard.authorization[0].partition(" ")[0].lower() if heard.authorization else ""
    return INVALID if scheme.startswith("bearer") and scheme != "bearers" else MISSING


@contextmanager
def stub_service(answer: Callable[[Heard], Reply]) -> Iterator[str]:
    """Run a service that answers so, and return the URL of its endpoint."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            authorization = self.headers.get_all("authorization", [])
            reply = answer(Heard(self.command, self.path, authorization, dict(self.headers.items())))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/vehicles"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def probe(url: str, *arguments: str, stdin: str = GOOD, **environment: str) -> Result:
    """Run ``sensos-auth probe`` with the good token on standard input, and without any credentials."""
    source = ("--token-file", "-") if stdin else ()
    names = ("BASE_URL", "TENANT_ID", "APPLICATION_ID", "APPLICATION_SECRET")
    unset: dict[str, str | None] = dict.fromkeys((*(f"SENSOS_{name}" for name in names), "SENSOS_BASE_URL_FILE"))
    return CliRunner(env=unset | environment).invoke(main, ["probe", url, *source, *arguments], input=stdin)
