"""The issuer of these tests, and an API engineer who probes."""

from collections.abc import Iterator

import pytest

from tests.probing.probing import Prober
from tests.running_service import RunningService, running_service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return a running service with one worker."""
    with running_service(tmp_path_factory.mktemp("service") / "data", at_once=True) as running:
        yield running


@pytest.fixture
def prober(service: RunningService) -> Prober:
    """Return an engineer with an application that has a scope."""
    return Prober(service, service.new_application(scope="vehicles:read"))
