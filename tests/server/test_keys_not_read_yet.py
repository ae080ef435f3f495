"""A credential is read after a signing key has changed, on a node that reads the keys a moment later."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from sensos_auth.issuing.issuer import ApplicationCredentials, Issuer
from sensos_auth.issuing.key_rotation import rotate
from sensos_auth.issuing.keyring import Keyring
from sensos_auth.issuing.stored_keys import read_stored_keys
from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.registry import Registry
from sensos_auth.registry.credentials import find_credential
from sensos_auth.registry.held_credentials import HeldCredentials
from sensos_auth.registry.lease import Lease
from sensos_auth.server.answers import Answer
from sensos_auth.server.registry_follower import HeldKeys
from sensos_auth.server.token_endpoint import PATH, TokenEndpoint
from sensos_auth.verifying.boot_clock import seconds_since_boot
from tests.issuing.deployment import MASTER_KEY, SETTINGS, Deployment
from tests.registries import Clock, Place
from tests.server.asgi_calls import body_messages, http_scope


class Node:
    """A node that fetches credentials, and holds the signing keys as it has read them last."""

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._keys = HeldKeys()
        self._held = HeldCredentials(Lease(), seconds_since_boot)
        issuer = Issuer(self._held, Keyring(self._keys, MASTER_KEY), SETTINGS, clock.seconds)
        self._endpoint = TokenEndpoint(issuer, self._fetch, lambda *_: AssertionError("nobody is refused here"))
        self.read_keys()

    def read_keys(self) -> None:
        """Hold the keys that there are."""
        with self._registry.view() as view:
            self._keys.stored = read_stored_keys(view)

    async def _fetch(self, digest: bytes) -> None:
        with self._registry.view() as view:
            found = find_credential(view, digest)
        assert found is not None
        self._held.keep(digest, found, found.version, seconds_since_boot())

    async def ask(self, shown: ApplicationCredentials) -> Answer:
        """Return the answer to a token request."""
        body = {
            "tenantId": shown.tenant_id,
            "applicationId": shown.application_id,
            "applicationSecret": shown.application_secret,
        }
        messages = list(body_messages(json.dumps(body).encode()))

        async def receive() -> Any:  # noqa: ANN401 - as ASGI has it
            return messages.pop(0)

        return await self._endpoint(http_scope("POST", PATH, (b"content-type", b"application/json")), receive)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """Return the deployment that the node belongs to."""
    place = Place("sqlite", str(tmp_path / "registry.sqlite3"), Clock())
    yield Deployment(place.open(), place.clock)
    place.close()


def test_z49_request_waits_for_the_keys(deployment: Deployment) -> None:
    """Its token is signed with the new key: neither with the one that no longer signs, nor is there a 503."""
    shown = deployment.new_application()
    node = Node(deployment.registry, deployment.clock)
    key = rotate(deployment.registry, MASTER_KEY, "ES256", actor="me", immediately=True)

    async def ask_and_read_keys() -> Answer:
        asyncio.get_running_loop().call_later(0.05, node.read_keys)
        return await node.ask(shown)

    status, _, body = asyncio.run(ask_and_read_keys())
    assert status == 200
    assert jwt.get_unverified_header(json.loads(body)["accessToken"])["kid"] == key.kid


def test_request_does_not_wait_for_keys_that_do_not_come(deployment: Deployment) -> None:
    """It is told to come again, after less time than a client waits for."""
    shown = deployment.new_application()
    node = Node(deployment.registry, deployment.clock)
    rotate(deployment.registry, MASTER_KEY, "ES256", actor="me", immediately=True)
    began = time.monotonic()
    with pytest.raises(RegistryUnavailable, match="the signing keys have changed and are not read yet"):
        asyncio.run(node.ask(shown))
    assert 0.1 < time.monotonic() - began < 1.0
