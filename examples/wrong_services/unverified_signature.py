"""WRONG ON PURPOSE, never to be used. The mistake: the claims are read, but nobody verifies the signature.

Run: granian --interface asgi --port 8001 unverified_signature:app
"""

import os
from typing import Annotated

import jwt
from fastapi import FastAPI, Header, HTTPException

app = FastAPI()


@app.get("/v1/vehicles")
def vehicles(authorization: Annotated[str, Header()] = "") -> list[str]:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
    try:
        claims = jwt.decode(
            token,
            # "The gateway has verified it already." Until somebody calls the service past the gateway.
            options={"verify_signature": False, "verify_exp": True, "verify_aud": True, "verify_iss": True},
            audience=os.environ["SENSOS_AUTH_AUDIENCE"],
            issuer=os.environ["SENSOS_AUTH_ISSUER"],
        )
    except jwt.InvalidTokenError:
        raise HTTPException(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}) from None
    return [f"a vehicle of {claims.get('tenant_id')}"]
