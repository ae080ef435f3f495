"""Authlib's OAuth 2.0 server on Flask: client_credentials, ES256 JWT access tokens of RFC 9068, clients in memory."""

import hmac
import json
import os
from dataclasses import dataclass
from pathlib import Path

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant as _ClientCredentialsGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, Response
from joserfc.jwk import ECKey


@dataclass(frozen=True)
class Client(ClientMixin):
    """A confidential client."""

    client_id: str
    client_secret: str

    def get_client_id(self) -> str:
        """Return the client ID."""
        return self.client_id

    def check_client_secret(self, client_secret: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.client_secret, client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Accept the secret in the body, at the token endpoint."""
        return method == "client_secret_post" and endpoint == "token"

    def check_grant_type(self, grant_type: str) -> bool:
        """Accept client_credentials."""
        return grant_type == "client_credentials"

    def get_allowed_scope(self, scope: str | None) -> str:
        """Grant what was asked."""
        return scope or ""


class ClientCredentialsGrant(_ClientCredentialsGrant):
    """The grant, with the one method that is tested."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post",)


class TokenGenerator(JWTBearerTokenGenerator):
    """RFC 9068 tokens signed with one key that stays in memory."""

    _key = ECKey.generate_key("P-256", {"kid": "k1"})

    def get_jwks(self) -> ECKey:
        """Return the signing key, already imported: the quickest form that the generator takes."""
        return self._key

    def get_audiences(self, client: Client, user: object, scope: str) -> str:
        """Return the API."""
        return "https://api.example.com"


_clients = {shown["client_id"]: Client(**shown) for shown in json.loads(Path(os.environ["PEER_CLIENTS"]).read_text())}

app = Flask(__name__)
_server = AuthorizationServer(app, query_client=_clients.get, save_token=lambda token, request: None)
_server.register_grant(ClientCredentialsGrant)
_server.register_token_generator(
    "default",
    TokenGenerator("https://auth.example.com", alg="ES256", expires_generator=lambda client, grant_type: 36_000),
)


@app.post("/token")
def token() -> Response:
    """Answer a token request."""
    return _server.create_token_response()


@app.get("/jwks")
def jwks() -> dict[str, list[dict[str, str]]]:
    """Publish the key, so that the benchmark can check what it measures."""
    return {"keys": [TokenGenerator._key.as_dict(private=False)]}  # noqa: SLF001 - this file's own
