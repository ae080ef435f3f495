"""A token server on a loopback port, with a small API behind it: what an integrator's own tests talk to."""

import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sensos_auth.model.application_secret import new_secret
from sensos_auth.model.lifetime import DEFAULT_LIFETIME
from sensos_auth.testing.faults import Fault
from sensos_auth.testing.issuer import LocalIssuer

TOKEN_PATH = "/v1/applications/token"  # noqa: S105 - a path
ENDPOINT_PATH = "/v1/endpoint"
JWKS_PATH = "/.well-known/jwks.json"
_CREDENTIALS = ("tenantId", "applicationId", "applicationSecret")


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request to the API that showed a good token, as a function of the test gets it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the API answers: a status, a document that becomes JSON, and headers."""

    status: int = 200
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


ApiFunction = Callable[[ApiRequest], ApiAnswer]


class TokenServer:
    """What the server answers, and what it was asked. All may be read and changed while it runs, from any thread.

    ``lifetime`` is that of new tokens, in seconds. ``token_requests`` counts requests to the token endpoint, whatever
    they were answered; ``token_request_times`` are their times (``time.monotonic``). ``api_statuses`` are the answers
    of the API, one after the other.
    """

    def __init__(self, base_url: str, lifetime: int) -> None:
        self.base_url = base_url
        self.lifetime = lifetime
        self.issuer = LocalIssuer(issuer=base_url)
        self.token_request_times: list[float] = []
        self.api_statuses: list[int] = []
        self._lock = threading.Lock()
        self._secrets = [new_secret()]
        self._issued: dict[str, float] = {}
        self._faults: deque[Fault] = deque()
        self._standing_fault: Fault | None = None
        self._functions: dict[tuple[str, str], ApiFunction] = {}

    @property
    def token_requests(self) -> int:
        """Return how many requests the token endpoint got."""
        return len(self.token_request_times)

    @property
    def tenant_id(self) -> str:
        """Return the tenant ID that it accepts."""
        return self.issuer.tenant_id

    @property
    def application_id(self) -> str:
        """Return the application ID that it accepts."""
        return self.issuer.application_id

    @property
    def secret(self) -> str:
        """Return the newest application secret that it accepts."""
        return self._secrets[0]

    @property
    def environment(self) -> dict[str, str]:
        """Return the four environment variables of an application that uses it."""
        return {
            "SENSOS_BASE_URL": self.base_url,
            "SENSOS_TENANT_ID": self.tenant_id,
            "SENSOS_APPLICATION_ID": self.application_id,
            "SENSOS_APPLICATION_SECRET": self.secret,
        }

    def fail_next(self, fault: Fault, times: int = 1) -> None:
        """Answer the next requests for a token with the fault, after those that were already asked for."""
        with self._lock:
            self._faults.extend([fault] * times)

    def fail_always(self, fault: Fault | None) -> None:
        """Answer every request for a token with the fault, until it is called with None."""
        with self._lock:
            self._standing_fault = fault

    def rotate_secret(self, *, keep_old: bool = False) -> str:
        """Make a new application secret and return it. The old ones are refused from now on, unless told otherwise."""
        with self._lock:
            self._secrets = [new_secret(), *(self._secrets if keep_old else [])]
            return self._secrets[0]

    def rotate_key(self) -> str:
        """Sign with a new key from now on, and return its key ID."""
        return self.issuer.rotate_key()

    def revoke_tokens(self) -> None:
        """Let the API refuse every token that is out."""
        with self._lock:
            self._issued.clear()

    def answer(self, method: str, path: str, function: ApiFunction) -> None:
        """Let the API answer requests with a good token by what the function returns."""
        with self._lock:
            self._functions[method, path] = function

    def take_fault(self) -> Fault | None:
        """Count a request for a token, and return what must go wrong with it."""
        with self._lock:
            self.token_request_times.append(time.monotonic())
            return self._faults.popleft() if self._faults else self._standing_fault

    def issue(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and members of the answer to a token request."""
        try:
            members = json.loads(body)
            credentials = [members[name] for name in _CREDENTIALS]
        except (ValueError, KeyError, TypeError):
            return 400, _error(400, "The body is a JSON object with tenantId, applicationId and applicationSecret")
        with self._lock:
            if credentials[:2] != [self.tenant_id, self.application_id] or credentials[2] not in self._secrets:
                return 401, _error(401, "Invalid tenant ID, application ID or application secret")
            token = self.issuer.token(lifetime=self.lifetime)
            self._issued[token] = time.monotonic() + self.lifetime
            return 200, {"accessToken": token, "expiresIn": self.lifetime}

    def call(self, request: ApiRequest) -> ApiAnswer:
        """Return the API's answer to a request, and remember its status."""
        answer = self._call(request)
        with self._lock:
            self.api_statuses.append(answer.status)
        return answer

    def _call(self, request: ApiRequest) -> ApiAnswer:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        with self._lock:
            is_good = scheme.lower() == "bearer" and time.monotonic() < self._issued.get(token, 0.0)
            function = self._functions.get((request.method, request.path))
        if not is_good:
            challenge = 'Bearer error="invalid_token"' if token else "Bearer"
            refusal = _error(401, "Invalid or expired access token")
            return ApiAnswer(401, refusal, {"WWW-Authenticate": challenge})
        if function is not None:
            return function(request)
        if request.path == ENDPOINT_PATH:
            return ApiAnswer(200, {"tenantId": self.tenant_id, "applicationId": self.application_id, "scopes": []})
        return ApiAnswer(404, _error(404, "There is nothing at this path"))


@contextmanager
def token_server(*, lifetime: int = DEFAULT_LIFETIME, tls: ssl.SSLContext | None = None) -> Iterator[TokenServer]:
    """Run a token server on a free port of 127.0.0.1 until the end of the block; over TLS with a context."""
    scheme = "http" if tls is None else "https"
    listener = _Listener(("127.0.0.1", 0), _Handler)
    if tls is not None:
        listener.socket = tls.wrap_socket(listener.socket, server_side=True)
    listener.token_server = TokenServer(f"{scheme}://127.0.0.1:{listener.server_address[1]}", lifetime)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield listener.token_server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512
    token_server: TokenServer

    def handle_error(self, *_: object) -> None:
        """A client that breaks off is no error here."""


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
        if parts.path == TOKEN_PATH and self.command == "POST":
            self._serve_token(state, body)
        elif parts.path == JWKS_PATH:
            self._send(200, state.issuer.jwks().encode(), {"Cache-Control": "public, max-age=300"})
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = state.call(ApiRequest(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body))
            document = b"" if answer.status == HTTPStatus.NO_CONTENT else json.dumps(answer.document).encode()
            self._send(answer.status, document, answer.headers)

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
            members = _error(status, "As the test asked for")
        answer = json.dumps(members).encode() if fault.body is None else fault.body
        self._send(status, answer, {"Cache-Control": "no-store", **fault.headers}, fault)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], fault: Fault | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
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


def _error(status: int, message: str) -> dict[str, Any]:
    return {"error": HTTPStatus(status).phrase, "message": message}
