"""For httpx (``pip install 'sensos-auth[httpx]'``): ``httpx.Client(auth=TokenAuth.from_env())``."""

import httpx

from sensos_auth.client.httpx_flow import TokenFlow


class TokenAuth(TokenFlow, httpx.Auth):
    """Puts an access token on every request to the API: ``TokenAuth(source)``, or ``TokenAuth.from_env()``.

    Share one between clients, threads and event loops: each has its own token source.
    """
