"""The ASGI application: picks the endpoint of a path, and gives every answer what every answer carries.

That is a request ID, a hardening header and a log line. Every exception gets its answer here, too.
"""

from collections.abc import Mapping
from os import urandom
from time import perf_counter

import structlog

from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable, SensosAuthError
from sensos_auth.server.access_log import AccessLog
from sensos_auth.server.answers import NOT_FOUND, Answer, Endpoint, Refusal, answer_to
from sensos_auth.server.asgi import Header, Receive, Scope, Send
from sensos_auth.server.log_lines import described

_NO_SNIFFING: Header = (b"x-content-type-options", b"nosniff")
_CLOSE: Header = (b"connection", b"close")
# Seconds in which a reason is not told again, and reasons that are told apart.
_SILENT_FOR = 1.0
_MOST_REASONS = 20


async def _nothing_here(scope: Scope, receive: Receive) -> Answer:  # noqa: ARG001 - as all endpoints
    return NOT_FOUND


class Envelope:
    """Answers over ``endpoints``, by path. Paths are compared whole, as they arrive: nothing is normalised.

    ``elsewhere`` answers all other paths. Where a path holds identifiers, it leaves in the scope, under
    ``path_template``, what is to be logged in its place.
    """

    def __init__(
        self, endpoints: Mapping[str, Endpoint], access_log: AccessLog, elsewhere: Endpoint = _nothing_here
    ) -> None:
        self._endpoints = endpoints
        self._access_log = access_log
        self._elsewhere = elsewhere
        self._log = structlog.get_logger()
        self._is_leaving = False
        self._silent_until: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, whatever happens."""
        started = perf_counter()
        request_id = urandom(12).hex()
        path = scope["path"]
        try:
            status, headers, body = await self._endpoints.get(path, self._elsewhere)(scope, receive)
        except Exception as error:  # noqa: BLE001 - the last resort: an answer in the contract's form, and a log line
            self._report(error, request_id)
            status, headers, body = answer_to(error)
        if self._is_leaving:
            headers = [*(header for header in headers if header[0] != b"connection"), _CLOSE]
        headers = [*headers, (b"x-request-id", request_id.encode()), _NO_SNIFFING]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        logged = scope.get("path_template", path)
        self._access_log.write(scope["method"], logged, status, (perf_counter() - started) * 1000, request_id)

    def end_connections(self) -> None:
        """End each connection with its next answer (RFC 9112 section 9.6)."""
        self._is_leaving = True

    def _report(self, error: Exception, request_id: str) -> None:
        match error:
            case RegistryUnavailable():
                self._tell_of_outage(str(error), request_id)
            case ConfigurationError():
                self._log.error("configuration at fault", reason=str(error), request_id=request_id)
            case SensosAuthError() | Refusal():
                pass
            case _:
                self._log.error("unexpected exception", **described(error), request_id=request_id)

    def _tell_of_outage(self, reason: str, request_id: str) -> None:
        """Of all requests that fail for the same reason, tell of one in a second: the access log has them all."""
        now = perf_counter()
        if now < self._silent_until.get(reason, 0.0):
            return
        if len(self._silent_until) >= _MOST_REASONS:
            self._silent_until.clear()
        self._silent_until[reason] = now + _SILENT_FOR
        self._log.warning("registry unavailable", reason=reason, request_id=request_id)
