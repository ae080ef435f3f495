"""``GET /healthz`` (the process is alive) and ``GET /readyz`` (it can issue: registry reachable, a key signs)."""

from collections.abc import Callable

from sensos_auth.issuing.keyring import Keyring
from sensos_auth.server.answers import NO_STORE, UNAVAILABLE, json_answer, method_not_allowed
from sensos_auth.server.asgi import Receive, Scope, Send
from sensos_auth.server.draining import Drain

ALIVE_PATH = "/healthz"
READY_PATH = "/readyz"

_ALIVE = json_answer(b'{"status":"alive"}', NO_STORE)
_READY = json_answer(b'{"status":"ready"}', NO_STORE)
_METHOD_NOT_ALLOWED = method_not_allowed("GET", "HEAD")


async def alive(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI's signature
    """Answer 200: whoever can say so is alive."""
    await (_ALIVE if scope["method"] in {"GET", "HEAD"} else _METHOD_NOT_ALLOWED).send(send)


class ReadyEndpoint:
    """Says whether a token could be issued now. ``clock`` is in UTC seconds."""

    def __init__(self, keyring: Keyring, clock: Callable[[], int], drain: Drain) -> None:
        self._keyring = keyring
        self._clock = clock
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Answer 200, or 503 when this worker is about to end.

        Raises RegistryUnavailable (503) when the registry is out of reach or no key signs.
        """
        if scope["method"] not in {"GET", "HEAD"}:
            await _METHOD_NOT_ALLOWED.send(send)
            return
        if self._drain.has_begun:
            await UNAVAILABLE.send(send)
            return
        self._keyring.current_signer(self._clock())
        await _READY.send(send)
