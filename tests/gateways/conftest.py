"""One service, one API and one relay between gateway and service for all tests here; gateways run one at a time."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.gateways.echo_api import EchoApi, running_echo_api
from tests.gateways.programs import NAMES, Gateway, Surroundings, running_gateway, why_not
from tests.gateways.recording_relay import RecordingRelay
from tests.running_service import COMMAND, ExampleApplication, RunningService, free_port, running_service
from tests.server.forged_tokens import Forge


@dataclass
class Scene:
    """What the gateways stand between. Tokens are issued by ``relay``'s address, where gateways reach the service."""

    service: RunningService
    application: ExampleApplication
    api: EchoApi
    relay: RecordingRelay
    surroundings: Surroundings

    @property
    def issuer(self) -> str:
        """Return the issuer of the tokens."""
        return f"http://127.0.0.1:{self.relay.port}"

    def forge(self) -> Forge:
        """Return what signs with the service's key; its claims need this scene's issuer."""
        return Forge(self.service, self.application)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Return the service, with an application that has the scopes devices:read and devices:write, and the API."""
    folder = tmp_path_factory.mktemp("gateways")
    folder.chmod(0o755)
    port = free_port()
    environment = {"SENSOS_AUTH_ISSUER": f"http://127.0.0.1:{port}"}
    with (
        running_echo_api() as api,
        running_service(folder / "data", environment=environment, at_once=True) as service,
    ):
        relay = RecordingRelay(port, service.port)
        key_file = folder / "key.pem"
        application = service.new_application(scope="devices:read devices:write")
        kid = Forge(service, application).kid
        pem = subprocess.run([COMMAND, "keys", "pem", kid], env=service.environment, capture_output=True, check=True)
        key_file.write_bytes(pem.stdout)
        try:
            yield Scene(service, application, api, relay, Surroundings(port, api.port, key_file))
        finally:
            relay.stop()


@pytest.fixture(scope="session", params=NAMES)
def gateway(
    request: pytest.FixtureRequest, scene: Scene, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """Return each gateway in turn, running with its example configuration."""
    name: str = request.param
    if reason := why_not(name):
        pytest.skip(reason)
    with running_gateway(name, tmp_path_factory.mktemp("running") / name, scene.surroundings) as running:
        yield running


@pytest.fixture(scope="session")
def token(scene: Scene) -> str:
    """Return a good token, with the scopes devices:read and devices:write."""
    return scene.service.token(scene.application)


@pytest.fixture(scope="session")
def other(scene: Scene) -> ExampleApplication:
    """Return an application of another tenant, without scopes."""
    return scene.service.new_application()


@pytest.fixture(scope="session")
def other_token(scene: Scene, other: ExampleApplication) -> str:
    """Return its token."""
    return scene.service.token(other)
