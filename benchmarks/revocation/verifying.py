"""An API service in small, in a process of its own: ``python -m benchmarks.revocation.verifying ISSUER AUDIENCE NAME``.

Reads orders, lines of JSON, and verifies without end: the tokens it was given to know, as load, and those it was given
to watch, until each is refused. Then it says when that was, by the clock that all processes of the machine share.
"""

import json
import os
import sys
import time
from queue import Empty, SimpleQueue
from threading import Thread

from sensos_auth.verifying import InvalidToken, RemoteJwks, RemoteRevocations, Verifier, VerifierCredentials

_LOOK_EVERY = 0.005  # seconds: the resolution of the figures
_CHECKS_AS_LOAD = 50  # at each look


def main() -> None:
    """Go on until standard input ends."""
    issuer, audience, name = sys.argv[1:4]
    ahead = 0.0
    credentials = VerifierCredentials.from_env() if "SENSOS_TENANT_ID" in os.environ else None
    keys = RemoteJwks(issuer + "/.well-known/jwks.json")
    revocations = RemoteRevocations(
        issuer, keys=keys, credentials=credentials, name=name, now=lambda: time.time() + ahead
    )
    verifier = Verifier(issuer=issuer, audience=audience, keys=keys, revocations=revocations)
    keys.wait_until_ready(30)
    revocations.wait_until_ready(30)
    _say(ready=True)
    orders: SimpleQueue[dict[str, str] | None] = SimpleQueue()
    Thread(target=_read, args=(orders,), daemon=True).start()
    known: list[str] = []
    watched: dict[str, str] = {}
    while (order := _next(orders)) is not None:
        match order:
            case {"know": token}:
                known.append(token)
            case {"watch": token, "number": number}:
                verifier.verify(token)
                watched[number] = token
                _say(watching=number)
            case {"ahead": seconds}:
                ahead = float(seconds)
            case {"health": _}:
                health = revocations.health()
                _say(health={"stale": health.stale, "confirmed_ago": health.confirmed_ago, "error": health.last_error})
            case _:
                pass
        for number, token in list(watched.items()):
            if _is_refused(verifier, token):
                del watched[number]
                _say(refused=number, at=time.monotonic())
        for token in known[:_CHECKS_AS_LOAD]:
            _is_refused(verifier, token)
    revocations.close()
    keys.close()


def _next(orders: "SimpleQueue[dict[str, str] | None]") -> dict[str, str] | None:
    try:
        return orders.get(timeout=_LOOK_EVERY)
    except Empty:
        return {}


def _is_refused(verifier: Verifier, token: str) -> bool:
    try:
        verifier.verify(token)
    except InvalidToken:  # "revoked"; or "unknown key ID", where a revoked key has left the key set first
        return True
    return False


def _read(orders: "SimpleQueue[dict[str, str] | None]") -> None:
    for line in sys.stdin:
        orders.put(json.loads(line))
    orders.put(None)


def _say(**members: object) -> None:
    print(json.dumps(members), flush=True)


if __name__ == "__main__":
    main()
