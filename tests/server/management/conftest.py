"""The service of these tests, which disable, rotate and revoke: none of it may show in the tests beside them."""

import pytest

from tests.running_service import RunningService
from tests.server.conftest import Services


@pytest.fixture(scope="session")
def service(services: Services, request: pytest.FixtureRequest) -> RunningService:
    """Return a running service with one worker."""
    return services("managed", getattr(request, "param", "sqlite"))
