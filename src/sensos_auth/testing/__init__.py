"""For tests of applications that call the API, and of services that accept its tokens: no account needed.

A real token server on a loopback port, which issues real ES256 tokens, and misbehaves on demand::

    with token_server(lifetime=3) as server:
        source = TokenSource.from_env(server.environment)
        server.fail_next(Fault(status=503), times=2)
        source.token()

An issuer without a server, for an API's own tests::

    issuer = LocalIssuer()
    token = issuer.token(scope="devices:read")
    keys = LocalJwks(issuer.jwks())  # of sensos_auth.verifying

Both as pytest fixtures: :mod:`sensos_auth.testing.plugin`. Never for production: keys and secrets are in memory, and
everybody on this machine may ask.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sensos_auth.testing.answering import ApiAnswer, ApiRequest, TokenServer
    from sensos_auth.testing.faults import Fault
    from sensos_auth.testing.issuer import LocalIssuer
    from sensos_auth.testing.serving import token_server

__all__ = ["ApiAnswer", "ApiRequest", "Fault", "LocalIssuer", "TokenServer", "token_server"]

_MODULES = {"Fault": "faults", "LocalIssuer": "issuer", "token_server": "serving"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    # Not at once: pytest imports the plugin, and with it this package, into every test run.
    if name in __all__:
        return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'answering')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
