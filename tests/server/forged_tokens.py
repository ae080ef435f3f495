"""Tokens that are signed with the service's own, real signing key, but say what a test wants them to say."""

import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sensos_auth.issuing.configuration import obtain_master_key
from sensos_auth.issuing.key_pair import Sign, load_signature_function
from sensos_auth.issuing.minting import base64url
from sensos_auth.model.signing_key import active_key
from sensos_auth.registry.signing_keys import list_signing_keys, sealed_private_key
from tests.running_service import AUDIENCE, ExampleApplication, RunningService


@dataclass
class Forge:
    """Makes tokens of one service for one application."""

    service: RunningService
    application: ExampleApplication

    @cached_property
    def kid(self) -> str:
        """The key ID of the key that signs now."""
        return self._key[0]

    @cached_property
    def sign(self) -> Sign:
        """Its signature function."""
        return self._key[1]

    @cached_property
    def public_jwk(self) -> dict[str, Any]:
        """Its public half, as the JWKS shows it."""
        with self.service.registry.view() as view:
            (key,) = [key for key in list_signing_keys(view) if key.kid == self.kid]
        jwk: dict[str, Any] = json.loads(key.public_jwk)
        return jwk

    def header(self, **changes: object) -> dict[str, object]:
        """Return the header of a good token, with members changed or added; ``...`` leaves one out."""
        return _changed({"alg": "ES256", "typ": "at+jwt", "kid": self.kid}, changes)

    def claims(self, **changes: object) -> dict[str, object]:
        """Return the claims of a good token, with claims changed or added; ``...`` leaves one out."""
        now = int(time.time())
        good = {
            "iss": self.service.base_url,
            "sub": self.application.application_id,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 600,
            "jti": "AAAAAAAAAAAAAAAAAAAAAA",
            "client_id": self.application.application_id,
            "tenant_id": self.application.tenant_id,
            "credential_id": self.application.secret_id,
            "rv": now * 1000,
        }
        return _changed(good, changes)

    def token(self, header: object = None, claims: object = None) -> str:
        """Return the correctly signed token with exactly this header and these claims (JSON values, or raw bytes)."""
        message = (
            part(self.header() if header is None else header) + b"." + part(self.claims() if claims is None else claims)
        )
        return (message + b"." + base64url(self.sign(message))).decode()

    @cached_property
    def _key(self) -> tuple[str, Sign]:
        registry = self.service.registry
        master_key = obtain_master_key(registry, self.service.environment)
        with registry.view() as view:
            key = active_key(list_signing_keys(view), view.now)
            assert key is not None
            sealed = sealed_private_key(view, key.kid)
        assert sealed is not None
        return key.kid, load_signature_function(key.algorithm, master_key.open(key.kid, sealed))


def part(content: object) -> bytes:
    """Return a header or claims as a part of a token: bytes as they are, anything else as JSON."""
    return base64url(content if isinstance(content, bytes) else json.dumps(content).encode())


def _changed(good: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in (good | changes).items() if value is not ...}
