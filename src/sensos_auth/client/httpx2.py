"""For httpx2: ``httpx2.Client(auth=TokenAuth.from_env())``, and the same with ``AsyncClient``."""

import httpx2

from sensos_auth.client.httpx_flow import TokenFlow


class TokenAuth(TokenFlow, httpx2.Auth):
    """Puts an access token on every request to the API: ``TokenAuth(source)``, or ``TokenAuth.from_env()``.

    Share one between clients, threads and event loops: each has its own token source.
    """
