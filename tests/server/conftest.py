"""The service of these tests: one for each test process; tests that break theirs start their own."""

from collections.abc import Iterator

import pytest

from tests.running_service import ExampleApplication, RunningService, running_service


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return a running service with one worker."""
    with running_service(tmp_path_factory.mktemp("service") / "data", at_once=True) as running:
        yield running


@pytest.fixture(scope="session")
def application(service: RunningService) -> ExampleApplication:
    """Return an application that may have tokens; nobody disables it."""
    return service.new_application(scope="devices:read devices:write")
