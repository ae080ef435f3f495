"""The service of these tests, which disable, rotate and revoke: none of it may show in the tests beside them."""

from collections.abc import Iterator

import pytest

from tests.running_service import RunningService, running_service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return a running service with one worker."""
    with running_service(tmp_path_factory.mktemp("managed") / "data", at_once=True) as running:
        yield running
