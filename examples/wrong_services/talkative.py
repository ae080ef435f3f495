"""WRONG ON PURPOSE, never to be used. The mistake: the client is told what went wrong inside, instead of the log.

Run: granian --interface asgi --port 8001 talkative:app
"""

import os
import traceback
from typing import Annotated

import jwt
from fastapi import FastAPI, Header, Response

app = FastAPI()
keys = jwt.PyJWKClient(f"{os.environ['SENSOS_AUTH_ISSUER']}/.well-known/jwks.json")


@app.get("/v1/vehicles")
def vehicles(response: Response, authorization: Annotated[str, Header()] = "") -> list[str] | dict[str, str]:
    token = authorization.removeprefix("Bearer ")
    try:
        claims = jwt.decode(
            token,
            keys.get_signing_key_from_jwt(token),
            algorithms=["ES256"],
            audience=os.environ["SENSOS_AUTH_AUDIENCE"],
            issuer=os.environ["SENSOS_AUTH_ISSUER"],
        )
    except Exception as error:  # noqa: BLE001
        response.status_code = 401  # and without WWW-Authenticate
        return {"error": f"{type(error).__name__}: {error}", "token": token, "details": traceback.format_exc()}
    return [f"a vehicle of {claims.get('tenant_id')}"]
