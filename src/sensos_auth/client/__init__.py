"""For applications that call the API: a valid access token whenever one is needed, and nothing to think about.

With ``SENSOS_BASE_URL``, ``SENSOS_TENANT_ID``, ``SENSOS_APPLICATION_ID`` and ``SENSOS_APPLICATION_SECRET`` in the
environment, or with ``_FILE`` at the end a file that holds one::

    source = TokenSource.from_env()
    source.token()
"""

from sensos_auth.client.credentials import Credentials, secret_file
from sensos_auth.client.errors import CredentialsRefused, TokenServiceUnavailable
from sensos_auth.client.token_source import AsyncTokenSource, TokenSource
from sensos_auth.model.errors import ConfigurationError, SensosAuthError

__all__ = [
    "AsyncTokenSource",
    "ConfigurationError",
    "Credentials",
    "CredentialsRefused",
    "SensosAuthError",
    "TokenServiceUnavailable",
    "TokenSource",
    "secret_file",
]
