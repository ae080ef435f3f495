"""WRONG ON PURPOSE, never to be used. The mistake: the token says by which algorithm it is to be verified.

Run: granian --interface asgi --port 8001 algorithm_from_the_token:app
"""

import base64
import hashlib
import hmac
import json
import os
import time
from typing import Annotated

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI, Header, HTTPException

app = FastAPI()
keys = jwt.PyJWKClient(f"{os.environ['SENSOS_AUTH_ISSUER']}/.well-known/jwks.json")


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def verified_claims(token: str) -> dict[str, str]:
    header, payload, signature = token.split(".")
    algorithm = json.loads(decode(header))["alg"]
    key = keys.get_signing_key_from_jwt(token).key
    if algorithm == "HS256":  # for the old tokens, which had a shared secret
        secret = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        expected = hmac.digest(secret, f"{header}.{payload}".encode(), hashlib.sha256)
        if not hmac.compare_digest(expected, decode(signature)):
            raise ValueError("wrong signature")
    elif algorithm.lower() != "none":  # for the tests
        jwt.decode(token, key, algorithms=[algorithm], options={"verify_aud": False})
    claims: dict[str, str] = json.loads(decode(payload))
    right = (os.environ["SENSOS_AUTH_ISSUER"], os.environ["SENSOS_AUTH_AUDIENCE"])
    if (claims["iss"], claims["aud"]) != right or int(claims["exp"]) <= time.time():
        raise ValueError("not for here, or not for now")
    return claims


@app.get("/v1/vehicles")
def vehicles(authorization: Annotated[str, Header()] = "") -> list[str]:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    try:
        claims = verified_claims(token)
    except Exception:  # noqa: BLE001
        raise HTTPException(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}) from None
    return [f"a vehicle of {claims.get('tenant_id')}"]
