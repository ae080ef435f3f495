"""WRONG ON PURPOSE, never to be used. The mistake: a token that is signed well is good for ever.

Run: granian --interface asgi --port 8001 forgotten_expiry:app
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
        claims = jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token),
            algorithms=["ES256"],
            audience=os.environ["SENSOS_AUTH_AUDIENCE"],
            issuer=os.environ["SENSOS_AUTH_ISSUER"],
            # "The clocks of our machines differ, and tokens were refused."
            options={"verify_exp": False},
        )
    except (jwt.InvalidTokenError, jwt.PyJWKClientError):
        raise HTTPException(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}) from None
    return [f"a vehicle of {claims.get('tenant_id')}"]
