"""Access tokens for the tests: good ones from the product's own issuing code, bad ones signed with the same key."""

import json
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from sensos_auth.issuing.key_pair import KeyPair, load_signature_function, new_key_pair
from sensos_auth.issuing.minting import Signer, base64url
from sensos_auth.model.access_token import Claims
from sensos_auth.model.signing_key import Algorithm
from sensos_auth.verifying import LocalJwks, Verifier

NOW = 1_800_000_000
ISSUER = "https://auth.example.com"
AUDIENCE = "sensos-api"
APPLICATION = "app_aaaaaaaaaaaaaaaaaaaaaaaaaa"
TENANT = "ten_bbbbbbbbbbbbbbbbbbbbbbbbbb"

GOOD_CLAIMS = Claims(
    iss=ISSUER,
    sub=APPLICATION,
    aud=AUDIENCE,
    iat=NOW,
    exp=NOW + 36_000,
    jti="AAAAAAAAAAAAAAAAAAAAAA",
    client_id=APPLICATION,
    tenant_id=TENANT,
    credential_id="sec_cccccccccccccccccccccccccc",
    rv=1_800_000_000_000,
    scope="devices:read devices:write",
)


@dataclass
class IssuingKey:
    """A key pair that signs whatever a test wants signed."""

    algorithm: Algorithm = "ES256"
    pair: KeyPair = field(init=False)

    def __post_init__(self) -> None:
        self.pair = new_key_pair(self.algorithm)

    @cached_property
    def jwk(self) -> dict[str, str]:
        """The public half."""
        jwk: dict[str, str] = json.loads(self.pair.public_jwk)
        return jwk

    @cached_property
    def signer(self) -> Signer:
        """The product's signer."""
        return Signer(self.pair.kid, self.algorithm, load_signature_function(self.algorithm, self.pair.private_key))

    def header(self, **changes: object) -> dict[str, object]:
        """Return the header of a good token, with members changed or added."""
        return {"alg": self.algorithm, "typ": "at+jwt", "kid": self.pair.kid} | changes

    def token(self, **changes: object) -> str:
        """Return a token whose claims are the good ones but for the changes; ``...`` leaves a claim out."""
        return self.sign(self.header(), good_claims(**changes))

    def sign(self, header: object, claims: object) -> str:
        """Return a token with exactly this header and these claims (JSON values, or the bytes themselves)."""
        message = base64url(as_bytes(header)) + b"." + base64url(as_bytes(claims))
        signature = load_signature_function(self.algorithm, self.pair.private_key)(message)
        return (message + b"." + base64url(signature)).decode()


def good_claims(**changes: object) -> dict[str, object]:
    """Return the claims of a good token, with some changed, added, or left out with ``...``."""
    claims = msgspec.to_builtins(GOOD_CLAIMS) | changes
    return {name: value for name, value in claims.items() if value is not ...}


def as_bytes(part: object) -> bytes:
    """Return bytes as they are, and anything else as JSON."""
    return part if isinstance(part, bytes) else json.dumps(part).encode()


def jwks_of(*keys: IssuingKey) -> str:
    """Return the JWK set of the keys."""
    return json.dumps({"keys": [key.jwk for key in keys]})


def verifier_for(*keys: IssuingKey, now: float = NOW) -> Verifier:
    """Return a verifier that knows the keys and whose clock stands at ``now``."""
    return Verifier(issuer=ISSUER, audience=AUDIENCE, keys=LocalJwks(jwks_of(*keys)), clock=lambda: now)


KEY = IssuingKey()
VERIFIER = verifier_for(KEY)
GOOD_TOKEN = KEY.signer.mint(GOOD_CLAIMS)
