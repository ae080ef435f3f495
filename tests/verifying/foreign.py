"""Tokens of other issuers, signed with a library that makes what they make."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from sensos_auth.issuing.minting import base64url

NOW = 1_800_000_000
ISSUER = "https://idp.example.com/"
AUDIENCE = "https://api.example.com"
CLIENT = "awZfdIir8YFdGZWkvCejDoUb7SjTDicx"

_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


@dataclass
class ForeignKey:
    """A key pair of another issuer. ``named`` tells whether its JWK says which algorithm it is for."""

    algorithm: str
    kid: str = "nOo3ZDrODXEK1jKWhXslHR_KXEg"
    named: bool = True
    pair: Key = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.algorithm in _CURVES:
            self.pair = ECKey.generate_key(_CURVES[self.algorithm])
        elif self.algorithm == "EdDSA":
            self.pair = OKPKey.generate_key("Ed25519")
        else:
            self.pair = RSAKey.generate_key(2048)

    @cached_property
    def jwk(self) -> dict[str, object]:
        """The public half, with a certificate chain that nobody reads."""
        named = {"alg": self.algorithm} if self.named else {}
        return {**self.pair.as_dict(private=False), **named, "kid": self.kid, "use": "sig", "x5c": ["MIIC"], "x5t": "x"}

    def sign(self, header: Mapping[str, object], claims: Mapping[str, object], algorithm: str | None = None) -> str:
        """Return a token with the claims; members of the header, and claims, that are ``...`` are left out."""
        used = algorithm or self.algorithm
        whole = {"alg": used, "typ": "at+jwt", "kid": self.kid, **header}
        message = b".".join(base64url(json.dumps(_present(part)).encode()) for part in (whole, claims))
        signature = JWSRegistry.algorithms[used].sign(message, self.pair)
        return (message + b"." + base64url(signature)).decode()


def _present(part: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in part.items() if value is not ...}


def jwks_of(*keys: ForeignKey) -> str:
    """Return the JWK set of the keys."""
    return json.dumps({"keys": [key.jwk for key in keys]})


def claims(**changes: object) -> dict[str, object]:
    """Return the claims of an RFC 9068 token that an application got for itself, with changes."""
    return {
        "iss": ISSUER,
        "sub": CLIENT,
        "aud": AUDIENCE,
        "iat": NOW,
        "exp": NOW + 3600,
        "jti": "73WakrfVbNJBaAmhQtEeDv",
        "client_id": CLIENT,
        "scope": "read:devices",
    } | changes
