"""The issuer of these tests, its applications, and every example running against it: once for each test process."""

from collections.abc import Iterator

import pytest

from tests.running_service import ENDPOINT_PATH, ExampleApplication, RunningService, running_service
from tests.server.forged_tokens import Forge
from tests.verifying.frameworks.protected_services import (
    SCOPE,
    VERIFY_PATH,
    GrpcService,
    HttpService,
    ProtectedService,
)
from tests.verifying.frameworks.running_examples import GRPC, HTTP, running_examples


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Return the service that issues the tokens."""
    with running_service(tmp_path_factory.mktemp("issuer") / "data", at_once=True) as running:
        yield running


@pytest.fixture(scope="session")
def application(issuer: RunningService) -> ExampleApplication:
    """Return an application with every scope that the examples ask for."""
    return issuer.new_application(scope=SCOPE)


@pytest.fixture(scope="session")
def forge(issuer: RunningService, application: ExampleApplication) -> Forge:
    """Return what signs anything with the issuer's key."""
    return Forge(issuer, application)


@pytest.fixture(scope="session")
def token(issuer: RunningService, application: ExampleApplication) -> str:
    """Return a good token."""
    return issuer.token(application)


@pytest.fixture(scope="session")
def good(token: str) -> str:
    """Return what a good Authorization header says."""
    return f"Bearer {token}"


@pytest.fixture(scope="session")
def services(
    issuer: RunningService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, HttpService | GrpcService]]:
    """Return all services that are asked, by name."""
    with running_examples(issuer, tmp_path_factory.mktemp("examples")) as ports:
        yield {
            **{name: HttpService(ports[name], "/v1/whoami", "/v1/vehicles") for name in HTTP},
            **{name: GrpcService(ports[name]) for name in GRPC},
            "verify": HttpService(issuer.port, VERIFY_PATH, f"{VERIFY_PATH}?scope={SCOPE}"),
            "example-api": HttpService(issuer.port, ENDPOINT_PATH, ""),
        }


@pytest.fixture
def http(services: dict[str, HttpService | GrpcService], name: str) -> HttpService:
    """Return the HTTP service of this name."""
    service = services[name]
    assert isinstance(service, HttpService)
    return service


@pytest.fixture
def protected(services: dict[str, HttpService | GrpcService], name: str) -> ProtectedService:
    """Return the service of this name."""
    return services[name]
