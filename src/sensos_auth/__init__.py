"""Sensos Auth: machine-to-machine authentication for a multi-tenant API.

Three doors, by who you are:

* you protect an API: :mod:`sensos_auth.verifying` checks access tokens and says who calls;
* you operate the service: the command ``sensos-auth`` (``quickstart``, ``serve``, ``tenants``, …);
* you read the code: start at :mod:`sensos_auth.issuing.issuer`, where a secret becomes an access token.
"""

__version__ = "0.1.0"
