"""An issuer in this process: real ES256 access tokens, made without a service."""

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from sensos_auth.model.access_token import TOKEN_TYPE
from sensos_auth.model.identifiers import new_application_id, new_secret_id, new_tenant_id
from sensos_auth.model.lifetime import DEFAULT_LIFETIME

DEFAULT_ISSUER = "http://127.0.0.1:8000"
DEFAULT_AUDIENCE = "sensos-api"


class LocalIssuer:
    """Makes access tokens as the service does, of one tenant and application unless others are named.

    ``clock`` returns UTC seconds. Its keys are its own: a verifier accepts its tokens by :meth:`jwks` only.
    """

    def __init__(
        self,
        *,
        issuer: str = DEFAULT_ISSUER,
        audience: str = DEFAULT_AUDIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self.tenant_id = new_tenant_id()
        self.application_id = new_application_id()
        self._clock = clock
        self._credential_id = new_secret_id()
        self._keys: list[ECKey] = []
        self.rotate_key()

    def rotate_key(self, *, keep_old: bool = True) -> str:
        """Sign with a new key from now on, and return its key ID. The old ones stay published unless told otherwise."""
        key = ECKey.generate_key("P-256")
        self._keys = [key, *(self._keys if keep_old else [])]
        return key.thumbprint()

    def jwks(self) -> str:
        """Return the public keys as a JWK set (RFC 7517 section 5)."""
        keys = [
            {**key.as_dict(private=False), "kid": key.thumbprint(), "alg": "ES256", "use": "sig"} for key in self._keys
        ]
        return json.dumps({"keys": keys})

    def token(
        self,
        *,
        scope: str = "",
        tenant_id: str | None = None,
        application_id: str | None = None,
        lifetime: float = DEFAULT_LIFETIME,
        header: dict[str, Any] | None = None,
        **claims: Any,  # noqa: ANN401 - any JSON value
    ) -> str:
        """Return a fresh token. ``lifetime`` is in seconds; a negative one makes a token that has expired.

        ``claims`` and ``header`` replace or add members, and None leaves one out: for tokens that must be refused.
        """
        now = self._clock()
        application = application_id or self.application_id
        members: dict[str, Any] = {
            "iss": self.issuer,
            "sub": application,
            "aud": self.audience,
            "iat": int(min(now, now + lifetime)),
            "exp": int(now + lifetime),
            "jti": secrets.token_urlsafe(16),
            "client_id": application,
            "tenant_id": tenant_id or self.tenant_id,
            "credential_id": self._credential_id,
            "rv": int(now * 1000),
        }
        members |= ({"scope": scope} if scope else {}) | claims
        key = self._keys[0]
        protected = {"alg": "ES256", "typ": TOKEN_TYPE, "kid": key.thumbprint()} | (header or {})
        return jwt.encode(_without_none(protected), _without_none(members), key)


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
