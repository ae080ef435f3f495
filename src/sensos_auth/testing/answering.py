"""What the token server answers, and the small API behind it: without any I/O."""

import json
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from sensos_auth.model.application_secret import new_secret
from sensos_auth.testing.faults import Fault
from sensos_auth.testing.issuer import LocalIssuer

_ENDPOINT_PATH = "/v1/endpoint"
_NO_CONTENT = 204
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

    def content(self) -> bytes:
        """Return the body; raises TypeError or ValueError for a document that is not JSON."""
        return b"" if self.status == _NO_CONTENT else json.dumps(self.document).encode()


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
        """Let the API answer requests with a good token by what the function returns.

        If it raises ConnectionError, the server hangs up. Any other exception is a mistake in the test: its traceback
        goes to stderr, and the API answers 500.
        """
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
            return 400, error_of(400, "The body is a JSON object with tenantId, applicationId and applicationSecret")
        with self._lock:
            if credentials[:2] != [self.tenant_id, self.application_id] or credentials[2] not in self._secrets:
                return 401, error_of(401, "Invalid tenant ID, application ID or application secret")
            token = self.issuer.token(lifetime=self.lifetime)
            self._issued[token] = time.monotonic() + self.lifetime
            return 200, {"accessToken": token, "expiresIn": self.lifetime}

    def call(self, request: ApiRequest) -> ApiAnswer:
        """Return the API's answer to a request, and remember its status."""
        try:
            answer = self._call(request)
            answer.content()
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001 - the test's own function
            traceback.print_exc()
            answer = ApiAnswer(500, error_of(500, "The test's own function failed: see stderr"))
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
            refusal = error_of(401, "Invalid or expired access token")
            return ApiAnswer(401, refusal, {"WWW-Authenticate": challenge})
        if function is not None:
            return function(request)
        if request.path == _ENDPOINT_PATH:
            return ApiAnswer(200, {"tenantId": self.tenant_id, "applicationId": self.application_id, "scopes": []})
        return ApiAnswer(404, error_of(404, "There is nothing at this path"))


def error_of(status: int, message: str) -> dict[str, str]:
    """Return the API's error object for a status."""
    phrase, _ = BaseHTTPRequestHandler.responses.get(status, ("Error", ""))
    return {"error": phrase, "message": message}
