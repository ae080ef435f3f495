"""One small service in several makes. ``PROTECTED_BY`` names what stands before its endpoints; see ``services.py``.

``/devices`` does what services do: it validates a parameter, reads a page of rows from SQLite, and answers with
validated models. ``/empty`` does nothing, so that the price of authentication itself is seen.
"""

import json
import os
import sqlite3
from pathlib import Path
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from sensos_auth.verifying import Verifier
from sensos_auth.verifying.fastapi import Authentication

_MATERIAL = json.loads(Path(os.environ["MATERIAL"]).read_text())
_ISSUER, _AUDIENCE = _MATERIAL["issuer"], _MATERIAL["audience"]
_JWKS_URL = os.environ["JWKS_URL"]

app = FastAPI(openapi_url=None)


def _by_nothing() -> list[Any]:
    return []


def _by_an_empty_dependency() -> list[Any]:
    async def nothing() -> None: ...

    return [Depends(nothing)]


def _by_sensos_auth() -> list[Any]:
    verifier = Verifier.connect(_ISSUER, audience=_AUDIENCE)
    verifier.wait_until_ready()
    authentication = Authentication(app, verifier)
    return [authentication.require("devices:read")]


def _by_pyjwt() -> list[Any]:
    # As PyJWT's own documentation has it, in the fastest form: asynchronous, so without a thread for each request.
    keys = jwt.PyJWKClient(_JWKS_URL)
    bearer = HTTPBearer()

    async def check(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> None:
        token = credentials.credentials
        try:
            key = keys.get_signing_key_from_jwt(token)
            claims = jwt.decode(token, key, algorithms=["ES256"], audience=_AUDIENCE, issuer=_ISSUER)
        except jwt.PyJWTError as error:
            raise HTTPException(401, "Invalid or expired access token") from error
        if "devices:read" not in claims["scope"].split():
            raise HTTPException(403)

    return [Depends(check)]


_PROTECTED = {
    "nothing": _by_nothing,
    "empty dependency": _by_an_empty_dependency,
    "sensos-auth": _by_sensos_auth,
    "pyjwt": _by_pyjwt,
}[os.environ["PROTECTED_BY"]]()


class Device(BaseModel):
    """A device, as the service shows it."""

    device_id: int
    name: str
    region: str
    seen_at: int


_DATABASE = sqlite3.connect(":memory:", check_same_thread=False)
_DATABASE.execute("CREATE TABLE device (device_id INTEGER PRIMARY KEY, name TEXT, region TEXT, seen_at INTEGER)")
_DATABASE.executemany(
    "INSERT INTO device VALUES (?, ?, ?, ?)",
    [(number, f"sensor {number}", "eu" if number % 2 else "us", 1_800_000_000 + number) for number in range(10_000)],
)


@app.get("/devices", dependencies=_PROTECTED)
async def devices(
    after: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=100)] = 50
) -> list[Device]:
    """Return a page of devices."""
    rows = _DATABASE.execute(
        "SELECT device_id, name, region, seen_at FROM device WHERE device_id > ? ORDER BY device_id LIMIT ?",
        (after, limit),
    )
    return [Device(device_id=row[0], name=row[1], region=row[2], seen_at=row[3]) for row in rows]


@app.get("/empty", dependencies=_PROTECTED)
async def empty() -> dict[str, bool]:
    """Return next to nothing."""
    return {"empty": True}
