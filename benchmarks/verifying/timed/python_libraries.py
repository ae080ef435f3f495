"""Times one check of an access token in this process: ``python_libraries.py MATERIAL ROUNDS``.

The contestants take turns, in another order each round, over the same tokens. Prints JSON: microseconds of CPU time for
one check, by contestant and round; CPU time, because other processes disturb it least.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import ECKey

from sensos_auth.verifying import LocalJwks, Verifier

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Authlib 1.7 and later recommend joserfc; people go on using it
    from authlib.jose import JsonWebToken  # type: ignore[import-untyped]

Check = Callable[[str], object]
_MANY = 40_000  # cached checks in a round
_FEW = 320  # whole checks in a round


def contestants(material: dict[str, Any]) -> dict[str, tuple[Check, int]]:
    """Return what is timed, and how often in each round. All check signature, issuer, audience and expiry."""
    issuer, audience = str(material["issuer"]), str(material["audience"])
    jwks = json.dumps(material["jwks"])
    [jwk] = json.loads(jwks)["keys"]
    # With room for two verdicts and more tokens than that, each token is always new to it.
    cold = Verifier(issuer=issuer, audience=audience, keys=LocalJwks(jwks), remembered_verdicts=2)
    warm = Verifier.connect(issuer, audience=audience, when_stale="refuse")
    warm.wait_until_ready()
    pyjwk = jwt.PyJWK(jwk)
    joserfc_key = ECKey.import_key(jwk)
    joserfc_claims = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": audience},
        exp={"essential": True},
        iat={"essential": True},
    )
    authlib = JsonWebToken(["ES256"])
    authlib_options = {
        "iss": {"essential": True, "value": issuer},
        "aud": {"essential": True, "value": audience},
        "exp": {"essential": True},
    }
    required: Any = {"require": ["exp", "iat", "iss", "aud"]}
    return {
        "cached": (warm.verify, _MANY),
        "cached_scope": (lambda token: warm.verify(token, scope="devices:read"), _MANY),
        "cold": (cold.verify, _FEW),
        "joserfc": (
            lambda token: joserfc_claims.validate(joserfc_jwt.decode(token, joserfc_key, algorithms=["ES256"]).claims),
            _FEW,
        ),
        "pyjwt": (
            lambda token: jwt.decode(
                token, pyjwk, algorithms=["ES256"], issuer=issuer, audience=audience, options=required
            ),
            _FEW,
        ),
        "authlib": (lambda token: authlib.decode(token, jwk, claims_options=authlib_options).validate(), _FEW),
    }


def main() -> None:
    """Time all contestants; a check that fails raises."""
    material = json.loads(Path(sys.argv[1]).read_text())
    rounds = int(sys.argv[2])
    tokens = material["tokens"]
    timed = contestants(material)
    figures: dict[str, list[float]] = {name: [] for name in timed}
    for check, _ in timed.values():
        for token in tokens:
            check(token)
    names = list(timed)
    for number in range(rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            check, times = timed[name]
            shown = tokens * (times // len(tokens))
            started = time.process_time()
            for token in shown:
                check(token)
            figures[name].append((time.process_time() - started) / len(shown) * 1e6)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
