"""The pytest plugin: fixtures for whoever calls the API, and for whoever protects one.

pytest finds it by itself where ``sensos-auth`` is installed. It brings fixtures only, and imports nothing until one is
asked for.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensos_auth.testing import LocalIssuer, TokenServer


@pytest.fixture
def sensos_token_server() -> "Iterator[TokenServer]":
    """Run a token server with a small API behind it, for one test."""
    from sensos_auth.testing import token_server  # noqa: PLC0415 - nothing is imported into test runs that don't use it

    with token_server() as server:
        yield server


@pytest.fixture
def sensos_environment(sensos_token_server: "TokenServer", monkeypatch: pytest.MonkeyPatch) -> "dict[str, str]":
    """Set the four environment variables to an application of :func:`sensos_token_server`, and return them."""
    environment = sensos_token_server.environment
    for name, value in environment.items():
        monkeypatch.delenv(f"{name}_FILE", raising=False)
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture
def sensos_issuer() -> "LocalIssuer":
    """Return an issuer in this process, for the tests of a service that accepts its tokens."""
    from sensos_auth.testing import LocalIssuer  # noqa: PLC0415 - as above

    return LocalIssuer()
