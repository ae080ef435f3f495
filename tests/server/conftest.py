"""The service of these tests: one for each test process; tests that break theirs start their own.

On SQLite; with ``@pytest.mark.engines("sqlite", "postgresql")`` a test or module runs on both. The mark that is nearest
to the test counts.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.postgresql_server import new_database_url
from tests.registries import Engine
from tests.running_service import ExampleApplication, RunningService, running_service

Services = Callable[[str, Engine], RunningService]


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "engines(*names): what the registry of the fixture `service` is kept on")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test once on each engine that it names."""
    mark = metafunc.definition.get_closest_marker("engines")
    if mark is not None and "service" in metafunc.fixturenames:
        metafunc.parametrize("service", mark.args, indirect=True)


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
