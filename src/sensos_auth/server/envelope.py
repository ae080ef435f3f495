"""What every answer carries, whichever endpoint gives it: request ID, hardening header and log line.

It is also the last resort: every exception gets an answer here.
"""

from os import urandom
from time import perf_counter

import structlog

from sensos_auth.model.errors import ConfigurationError, RegistryUnavailable, SensosAuthError
from sensos_auth.server.access_log import AccessLog
from sensos_auth.server.answers import Refusal, answer_to
from sensos_auth.server.asgi import Application, Header, Message, Receive, Scope, Send
from sensos_auth.server.log_lines import described

_NO_SNIFFING: Header = (b"x-content-type-options", b"nosniff")


class Envelope:
    """Wraps the endpoints."""

    def __init__(self, endpoints: Application, access_log: AccessLog) -> None:
        self._endpoints = endpoints
        self._access_log = access_log
        self._log = structlog.get_logger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, whatever happens."""
        started = perf_counter()
        request_id = urandom(12).hex()
        every_answer = [(b"x-request-id", request_id.encode()), _NO_SNIFFING]
        status = 0

        async def send_enveloped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *every_answer]
            await send(message)

        try:
            await self._endpoints(scope, receive, send_enveloped)
        except Exception as error:  # noqa: BLE001 - the last resort: an answer in the contract's form, and a log line
            self._report(error, request_id)
            if not status:
                await answer_to(error).send(send_enveloped)
        self._access_log.write(scope["method"], scope["path"], status, (perf_counter() - started) * 1000, request_id)

    def _report(self, error: Exception, request_id: str) -> None:
        match error:
            case RegistryUnavailable():
                self._log.warning("registry unavailable", reason=str(error), request_id=request_id)
            case ConfigurationError():
                self._log.error("configuration at fault", reason=str(error), request_id=request_id)
            case SensosAuthError() | Refusal():
                pass
            case _:
                self._log.error("unexpected exception", **described(error), request_id=request_id)
