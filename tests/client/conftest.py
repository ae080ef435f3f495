"""A token server for each test, on a port of its own."""

from collections.abc import Iterator

import pytest

from sensos_auth.testing import TokenServer, token_server


@pytest.fixture
def server() -> Iterator[TokenServer]:
    """Run a token server."""
    with token_server() as running:
        yield running
