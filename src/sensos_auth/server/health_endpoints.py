"""``GET /healthz`` (the process is alive) and ``GET /readyz`` (it can issue: registry reachable, a key signs)."""

from collections.abc import Callable

from sensos_auth.issuing.keyring import Keyring
from sensos_auth.server.answers import NO_STORE, UNAVAILABLE, Answer, json_answer, method_not_allowed
from sensos_auth.server.asgi import Receive, Scope
from sensos_auth.server.draining import Drain

ALIVE_PATH = "/healthz"
READY_PATH = "/readyz"

_ALIVE = json_answer(b'{"status":"alive"}', NO_STORE)
_READY = json_answer(b'{"status":"ready"}', NO_STORE)
_METHOD_NOT_ALLOWED = method_not_allowed("GET", "HEAD")


async def alive(scope: Scope, receive: Receive) -> Answer:  # noqa: ARG001 - as all endpoints
    """Answer 200: whoever can say so is alive."""
    return _ALIVE if scope["method"] in {"GET", "HEAD"} else _METHOD_NOT_ALLOWED


class ReadyEndpoint:
    """Says whether a token could be issued now. ``clock`` is in UTC seconds.

    ``check_registry`` raises RegistryUnavailable when the registry is out of reach.
    """

    def __init__(
        self, check_registry: Callable[[], None], keyring: Keyring, clock: Callable[[], int], drain: Drain
    ) -> None:
        self._check_registry = check_registry
        self._keyring = keyring
        self._clock = clock
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive) -> Answer:  # noqa: ARG002 - as all endpoints
        """Answer 200, or 503 when this worker is about to end.

        Raises RegistryUnavailable (503) when the registry is out of reach or no key signs.
        """
        if scope["method"] not in {"GET", "HEAD"}:
            return _METHOD_NOT_ALLOWED
        if self._drain.has_begun:
            return UNAVAILABLE
        self._check_registry()
        self._keyring.current_signer(self._clock())
        return _READY
