"""What all contestants verify: ES256 access tokens of the product's own signer, the key set, and who they are for."""

import json
import time
from dataclasses import dataclass

from benchmarks.verifying.places import MATERIAL
from sensos_auth.issuing.key_pair import load_signature_function, new_key_pair
from sensos_auth.issuing.minting import Signer
from sensos_auth.model.access_token import Claims
from sensos_auth.model.identifiers import new_application_id, new_secret_id, new_tenant_id

ISSUER = "https://auth.example.com"
AUDIENCE = "sensos-api"
TOKENS = 64
_LIFETIME = 36_000


@dataclass(frozen=True)
class Material:
    """Tokens that are all good, and the JWK set that verifies them."""

    tokens: list[str]
    jwks: str


def make_material() -> Material:
    """Sign fresh tokens, and write them down for the programs that are timed."""
    pair = new_key_pair("ES256")
    signer = Signer(pair.kid, "ES256", load_signature_function("ES256", pair.private_key))
    now = int(time.time())
    tenant = new_tenant_id()
    tokens = []
    for number in range(TOKENS):
        application = new_application_id()
        claims = Claims(
            iss=ISSUER,
            sub=application,
            aud=AUDIENCE,
            iat=now,
            exp=now + _LIFETIME,
            jti=f"{number:022}",
            client_id=application,
            tenant_id=tenant,
            credential_id=new_secret_id(),
            rv=now * 1000,
            scope="devices:read devices:write",
        )
        tokens.append(signer.mint(claims))
    material = Material(tokens, json.dumps({"keys": [json.loads(pair.public_jwk)]}))
    known = {"tokens": tokens, "jwks": json.loads(material.jwks), "issuer": ISSUER, "audience": AUDIENCE}
    MATERIAL.write_text(json.dumps(known))
    return material
