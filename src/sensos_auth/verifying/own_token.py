"""The verifier's own access token, which it shows when it polls the revocation feed, so that it is counted."""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sensos_auth.model.errors import ConfigurationError, SensosAuthError
from sensos_auth.model.lifetime import LONGEST_LIFETIME
from sensos_auth.verifying.strict_json import parse_object

TOKEN_PATH = "/v1/applications/token"  # noqa: S105 - a path
SCOPE = "auth:verifier"
_DEADLINE = 3.0  # seconds
_FIRST_WITHIN = 1.0  # seconds for which the feed waits for it
_RENEWED_AFTER = 0.75  # of the lifetime
_LARGEST_FILE = 4096
_LONGEST_TOKEN = 8192
_OK = 200
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # seconds after a failure

if TYPE_CHECKING:
    from sensos_auth.verifying.feed_connection import FeedConnection

_logger = logging.getLogger("sensos_auth.verifying")


@dataclass(frozen=True, slots=True)
class VerifierCredentials:
    """The credentials of an application with the scope ``auth:verifier``, to poll the revocation feed as.

    ``application_secret`` is the secret, or a function that returns it: it is asked for each token, so that a secret
    may be rotated while the service runs. Representations never show it, and credentials can't be pickled.
    """

    tenant_id: str
    application_id: str
    application_secret: str | Callable[[], str] = field(repr=False)

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> "VerifierCredentials":
        """Return those in ``SENSOS_TENANT_ID``, ``SENSOS_APPLICATION_ID`` and ``SENSOS_APPLICATION_SECRET``.

        Each may be the name of a file instead, in the variable with ``_FILE`` at its end; the secret's is read again
        for each token. Raises ConfigurationError that names the variable that is missing.
        """
        chosen = os.environ if environment is None else environment
        secret_file = chosen.get("SENSOS_APPLICATION_SECRET_FILE")
        secret = _setting(chosen, "SENSOS_APPLICATION_SECRET")
        return cls(
            _setting(chosen, "SENSOS_TENANT_ID"),
            _setting(chosen, "SENSOS_APPLICATION_ID"),
            (lambda: _content(secret_file, "SENSOS_APPLICATION_SECRET_FILE")) if secret_file else secret,
        )

    def current_secret(self) -> str:
        """Return the secret as it is now."""
        secret = self.application_secret
        return secret if isinstance(secret, str) else secret()

    def __reduce__(self) -> str:
        raise TypeError("credentials are not pickled: pass on where they come from instead")


class OwnToken:
    """Has an access token whenever there is one to be had, without ever holding up who asks for it.

    ``issuer`` is the URL that the credentials are sent to, by ``connection``. ``clock`` counts seconds and goes on
    while the machine sleeps. Belongs to one event loop.
    """

    def __init__(
        self, credentials: VerifierCredentials, issuer: str, *, connection: "FeedConnection", clock: Callable[[], float]
    ) -> None:
        self._credentials = credentials
        self._url = issuer + TOKEN_PATH
        self._connection = connection
        self._clock = clock
        self._token: str | None = None
        self._ends_at = 0.0
        self._due_at = clock()
        self._failures = 0
        self._renewal: asyncio.Task[None] | None = None
        self._attempted = False
        self.last_error: str | None = None

    async def first(self) -> None:
        """Wait until the first attempt has ended: a second at most. Raises nothing."""
        if not self._attempted:
            self.current()
            if self._renewal is not None:
                await asyncio.wait({self._renewal}, timeout=_FIRST_WITHIN)
                self._attempted = True

    def current(self) -> str | None:
        """Return the token, or None while there is none; have it renewed in the background when it is time."""
        now = self._clock()
        if now >= self._due_at and (self._renewal is None or self._renewal.done()):
            self._renewal = asyncio.create_task(self._renew())
        return self._token if now < self._ends_at else None

    def refused(self, token: str, status: int) -> None:
        """Take note that the feed did not take the token: it is not shown again, and the next one comes in a minute."""
        if token == self._token:
            self._token = None
            self._ends_at = 0.0
            self._due_at = self._clock() + _LONGEST_PAUSE
            self._fail(f"the feed answers the token with status {status}: has the application the scope {SCOPE}?")

    def accepted(self) -> None:
        """Take note that the feed took the token."""
        self.last_error = None

    async def close(self) -> None:
        """End what is under way."""
        if self._renewal is not None:
            self._renewal.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewal

    async def _renew(self) -> None:
        began = self._clock()
        try:
            request = await asyncio.to_thread(self._request)  # a vault may take its time, and the feed goes on
            answer = await self._connection.post(self._url, _DEADLINE, request)
            token, lifetime = _issued(answer.status, answer.body)
        except Exception as error:  # noqa: BLE001 - the feed is followed without a token, whatever it was
            # Of an exception that nobody planned only the name: nobody knows what is in its text.
            self._fail(str(error) if isinstance(error, SensosAuthError) else type(error).__name__)
            self._due_at = self._clock() + min(_FIRST_PAUSE * 2**self._failures, _LONGEST_PAUSE)
            self._failures += 1
            return
        finally:
            self._attempted = True
        self._token = token
        self._ends_at = began + lifetime
        self._due_at = began + max(lifetime * _RENEWED_AFTER, _FIRST_PAUSE)
        self._failures = 0

    def _request(self) -> bytes:
        chosen = self._credentials
        members = {
            "tenantId": chosen.tenant_id,
            "applicationId": chosen.application_id,
            "applicationSecret": chosen.current_secret(),
        }
        return json.dumps(members).encode()

    def _fail(self, what: str) -> None:
        if what != self.last_error:
            _logger.warning("this verifier polls the revocation feed uncounted: %s", what)
        self.last_error = what


class _NoToken(SensosAuthError):
    pass


def _issued(status: int, body: bytes) -> tuple[str, int]:
    if status != _OK:
        raise _NoToken(f"the token service answers with status {status}")
    try:
        members = parse_object(body)
    except ValueError:
        raise _NoToken("the token service answers with something else than a JSON object") from None
    match members:
        case {"accessToken": str(token), "expiresIn": int(lifetime)} if (
            lifetime > 0
            and 0 < len(token) <= _LONGEST_TOKEN
            and token.isascii()
            and token.isprintable()
            and " " not in token
        ):
            return token, min(lifetime, LONGEST_LIFETIME)
        case _:
            raise _NoToken("the token service answers without accessToken and expiresIn")


def _setting(environment: Mapping[str, str], name: str) -> str:
    value, file = environment.get(name), environment.get(f"{name}_FILE")
    if value and file:
        raise ConfigurationError(f"set either {name} or {name}_FILE, not both")
    if file:
        return _content(file, f"{name}_FILE")
    if not value:
        raise ConfigurationError(f"set {name}, or {name}_FILE to a file that holds it")
    return value


def _content(path: str, name: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{name} cannot be read: {type(error).__name__}") from None
    if len(text) > _LARGEST_FILE or not text.strip():
        raise ConfigurationError(f"{name} names a file that is empty, or too long for what it should hold")
    return text.strip()
