"""The service of these tests: one for each test process and engine; tests that break theirs start their own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.postgresql_server import new_database_url
from tests.registries import Engine
from tests.running_service import ExampleApplication, RunningService, running_service

Services = Callable[[str, Engine], RunningService]


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Return what gives a running service with one worker, of that name and on that engine: always the same one."""
    running: dict[tuple[str, Engine], RunningService] = {}
    with ExitStack() as ending:

        def get(name: str, engine: Engine) -> RunningService:
            if (name, engine) not in running:
                folder = tmp_path_factory.mktemp(name) / "data"
                environment = {"SENSOS_AUTH_DATABASE_URL": new_database_url()} if engine == "postgresql" else {}
                starting = running_service(folder, environment=environment, at_once=True)
                running[name, engine] = ending.enter_context(starting)
            return running[name, engine]

        yield get


@pytest.fixture(scope="session")
def service(services: Services, request: pytest.FixtureRequest) -> RunningService:
    """Return a running service with one worker."""
    return services("service", getattr(request, "param", "sqlite"))


@pytest.fixture(scope="session")
def application(service: RunningService) -> ExampleApplication:
    """Return an application that may have tokens; nobody disables it."""
    return service.new_application(scope="devices:read devices:write")
