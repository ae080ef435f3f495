"""Where an application gets its access token from, every time it needs one."""

import os
import ssl
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Self, TypedDict, Unpack

from sensos_auth.client.base_url import Origins, checked_base_url
from sensos_auth.client.credentials import (
    APPLICATION_ID,
    APPLICATION_SECRET,
    BASE_URL,
    TENANT_ID,
    Credentials,
    Unseen,
    check_set,
    read_setting,
)
from sensos_auth.client.renewing import PATIENCE, SharedToken
from sensos_auth.client.sending import send
from sensos_auth.client.surroundings import Surroundings
from sensos_auth.model.errors import ConfigurationError

_LONGEST_PATIENCE = 86_400.0


class Options(TypedDict, total=False):
    """The options of :class:`TokenSource`, for everything that makes one with ``from_env``."""

    allowed_origins: Iterable[str]
    patience: float
    ca_file: str | os.PathLike[str] | None
    allow_insecure_http: bool
    surroundings: Surroundings | None


class TokenSource:
    """Hands out a valid access token, and sees to it that there is one. Make one, and share it between all threads.

    ``base_url`` is the API's address, such as ``https://api.example.com``. A token goes only to its origin and to those
    of ``allowed_origins``. ``patience`` is how many seconds a caller waits at most when no token serves. ``ca_file``
    names a file of certificate authorities, instead of those that the environment sets; TLS is always verified. The
    addresses must be ``https``, but for loopback ones; ``allow_insecure_http`` says openly that everybody on the way
    can read secret and tokens. ``surroundings`` are for tests.

    Raises ConfigurationError. Nothing is asked for before the first token is needed.
    """

    base_url = ""  # until it is known: a traceback may show a source that never came to be

    def __init__(
        self,
        credentials: Credentials,
        base_url: str,
        *,
        allowed_origins: Iterable[str] = (),
        patience: float = PATIENCE,
        ca_file: str | os.PathLike[str] | None = None,
        allow_insecure_http: bool = False,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.base_url = checked_base_url(base_url, BASE_URL, allow_insecure_http=allow_insecure_http)
        others = [
            checked_base_url(url, "an allowed origin", allow_insecure_http=allow_insecure_http)
            for url in allowed_origins
        ]
        if not 0 < patience <= _LONGEST_PATIENCE:
            raise ConfigurationError("patience is more than 0 seconds, and a day at most")
        self.ca_file = None if ca_file is None else _checked_ca_file(os.fspath(ca_file))
        if surroundings is None:
            surroundings = Surroundings(send=partial(send, ca_file=self.ca_file))
        self.origins = Origins([self.base_url, *others])
        self.shared = SharedToken(credentials, self.base_url, surroundings, patience)
        self._clock = surroundings.clock

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None, **options: Unpack[Options]) -> Self:
        """Return the source that the environment describes: ``SENSOS_BASE_URL`` and :meth:`Credentials.from_env`.

        ``options`` are those of the class. Raises ConfigurationError that names the variables that are missing.
        """
        environment = Unseen(os.environ if environment is None else environment)
        check_set(environment, BASE_URL, TENANT_ID, APPLICATION_ID, APPLICATION_SECRET)  # all that is missing at once
        return cls(Credentials.from_env(environment), read_setting(environment, BASE_URL), **options)

    def token(self) -> str:
        """Return an access token. As a rule that takes a microsecond.

        Waits only while there is none that serves: at the first call, or after an outage that outlived the last one.
        Raises CredentialsRefused, ConfigurationError and TokenServiceUnavailable.
        """
        held = self.shared.held
        return held.token if self._clock() < held.stale_at else self.shared.get().token

    def renewed(self, refused: str) -> str | None:
        """Return the token to use in place of one that the API has refused with 401, or None when there is none.

        However many callers were refused the same token, it is renewed once; and not too often, whatever the API says.
        """
        held = self.shared.held
        is_replaced = held.token != refused
        del refused  # a traceback may show local variables
        if is_replaced:
            return self.token()
        replacement = self.shared.replace(held)
        return None if replacement is None else replacement.token

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    def __reduce__(self) -> str:
        raise TypeError("a token source is not pickled: make one in each process, or fork")


class AsyncTokenSource:
    """Hands out a valid access token without ever blocking the event loop, over a :class:`TokenSource`.

    Tasks, event loops and threads may share both: there is one token, and one renewal of it in flight.
    """

    def __init__(self, source: TokenSource) -> None:
        self.source = source
        self._clock = source.shared.clock

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None, **options: Unpack[Options]) -> Self:
        """Return the source that the environment describes, as :meth:`TokenSource.from_env` does."""
        return cls(TokenSource.from_env(environment, **options))

    async def token(self) -> str:
        """Return an access token, as :meth:`TokenSource.token` does."""
        shared = self.source.shared
        held = shared.held
        return held.token if self._clock() < held.stale_at else (await shared.get_async()).token

    async def renewed(self, refused: str) -> str | None:
        """Return the token to use in place of one that the API has refused, as :meth:`TokenSource.renewed` does."""
        shared = self.source.shared
        held = shared.held
        is_replaced = held.token != refused
        del refused  # as above
        if is_replaced:
            return await self.token()
        replacement = await shared.replace_async(held)
        return None if replacement is None else replacement.token

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source.base_url!r})"


def _checked_ca_file(path: str) -> str:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(f"ca_file holds no certificates, or cannot be read: {type(error).__name__}") from None
    return path


AnySource = TokenSource | AsyncTokenSource


def source_of(source: AnySource) -> TokenSource:
    """Return the source itself, or the one under the asynchronous face."""
    return source.source if isinstance(source, AsyncTokenSource) else source
