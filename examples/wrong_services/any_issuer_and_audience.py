"""WRONG ON PURPOSE, never to be used. The mistake: whom a token is for, and who issued it, is not looked at.

Run: granian --interface asgi --port 8001 any_issuer_and_audience:app
"""

import os
from typing import Annotated

import jwt
from fastapi import FastAPI, Header, HTTPException

app = FastAPI()
keys = jwt.PyJWKClient(f"{os.environ['SENSOS_AUTH_ISSUER']}/.well-known/jwks.json")


@app.get("/v1/vehicles")
def vehicles(authorization: Annotated[str, Header()] = "") -> list[str]:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    try:
        key = keys.get_signing_key_from_jwt(token)
        # "Audience doesn't match": somebody found out how to make that go away.
        claims = jwt.decode(token, key, algorithms=["ES256"], options={"verify_aud": False, "require": ["exp"]})
    except (jwt.InvalidTokenError, jwt.PyJWKClientError):
        raise HTTPException(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}) from None
    return [f"a vehicle of {claims.get('tenant_id')}"]
