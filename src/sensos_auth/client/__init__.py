"""For applications that call the API: a valid access token whenever one is needed, and nothing to think about.

With ``SENSOS_BASE_URL``, ``SENSOS_TENANT_ID``, ``SENSOS_APPLICATION_ID`` and ``SENSOS_APPLICATION_SECRET`` in the
environment, or with ``_FILE`` at the end a file that holds one::

    with Client.from_env() as client:
        for device in client.pages("/v1/devices", "devices"):
            ...

With the HTTP library that you have, one line, from the module of its name (:mod:`sensos_auth.client.httpx2`,
``httpx``, ``requests``, ``aiohttp``, ``urllib``, ``grpc``, and ``headers`` for any other)::

    httpx2.Client(auth=TokenAuth.from_env())

With nothing but the token: ``TokenSource.from_env().token()``, or ``await AsyncTokenSource.from_env().token()``. Make
one when the program starts, and share it: it keeps the token, and renews it before it ends.

What is promised:

* While a token serves, an outage of the token service costs a caller nothing: no error, no waiting.
* One renewal in flight, however many threads, event loops and tasks ask.
* A token goes to the API's own origin only, the secret to the token endpoint only, and neither through a redirect.
  TLS is always verified. Representations, logs, errors and pickles show neither.
* Names in ``__all__`` here, and those of the modules above without an underscore, change only with a major version.

A secret is a password, and so is a token for as long as it lives: keep both out of code, logs, URLs and tickets.
"""

from typing import TYPE_CHECKING, Any

from sensos_auth.client.credentials import Credentials, secret_file
from sensos_auth.client.errors import ApiError, ApiUnavailable, CredentialsRefused, TokenServiceUnavailable
from sensos_auth.client.token_source import AsyncTokenSource, TokenSource
from sensos_auth.model.errors import ConfigurationError, SensosAuthError

if TYPE_CHECKING:
    from sensos_auth.client.api_client import AsyncClient, Client

__all__ = [
    "ApiError",
    "ApiUnavailable",
    "AsyncClient",
    "AsyncTokenSource",
    "Client",
    "ConfigurationError",
    "Credentials",
    "CredentialsRefused",
    "SensosAuthError",
    "TokenServiceUnavailable",
    "TokenSource",
    "secret_file",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - one of the two classes
    # Not at once: httpx2 takes a tenth of a second to import, and who has a token and another library needs none.
    if name in {"AsyncClient", "Client"}:
        from sensos_auth.client import api_client  # noqa: PLC0415 - see above

        return getattr(api_client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
