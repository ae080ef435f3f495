"""Three verifiers of the same contract: ours, PyJWT and joserfc, each told to be as strict as it can be."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Self

import jwt
import jwt.api_jwt
from joserfc import jwt as joserfc_jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry
from joserfc.registry import HeaderParameter, in_choices

from sensos_auth.verifying import InvalidToken, LocalJwks, Verifier
from tests.verifying.differential.mutants import published_keys
from tests.verifying.issued import AUDIENCE, ISSUER, NOW

REQUIRED_CLAIMS = ["iss", "aud", "exp", "iat", "sub", "jti", "client_id", "tenant_id", "credential_id", "rv"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier says: the claims that it accepted, or why not, which ``broke`` says was no error of its own."""

    claims: Mapping[str, object] | None
    error: str = ""
    broke: bool = False

    @property
    def accepted(self) -> bool:
        """Tell whether the token was accepted."""
        return self.claims is not None


Oracle = Callable[[str], Verdict]


def ours() -> Oracle:
    """Return this product's verifier. What it accepts is shown to it twice: the second answer must be the same."""
    keys = LocalJwks(json.dumps({"keys": [key.jwk for key in published_keys()]}))
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, clock=lambda: NOW)

    def verify(token: str) -> Verdict:
        try:
            caller = verifier.verify(token)
        except InvalidToken as error:
            return Verdict(None, error.reason)
        assert verifier.verify(token) == caller
        return Verdict(caller.claims)

    return verify


def pyjwt() -> Oracle:
    """Return PyJWT with the key that the key ID names and only its algorithm, no leeway, and every check it has.

    It has no way to check ``typ``, nor to be given a clock: so the one in its module is exchanged for as long as it
    looks at a token.
    """
    module: Any = jwt.api_jwt
    keys = jwt.PyJWKSet.from_dict({"keys": [dict(key.jwk) for key in published_keys()]})
    options: Any = {"require": REQUIRED_CLAIMS, "strict_aud": True, "enforce_minimum_key_length": True}

    def verify(token: str) -> Verdict:
        try:
            module.datetime = _StandingClock
            key = keys[jwt.get_unverified_header(token)["kid"]]
            claims = jwt.decode(
                token, key, algorithms=[key.algorithm_name], issuer=ISSUER, audience=AUDIENCE, options=options
            )
        except KeyError:
            return Verdict(None, "no such key")
        except jwt.PyJWTError as error:
            return Verdict(None, type(error).__name__)
        except Exception as error:  # noqa: BLE001 - what a library lets through is noted
            return Verdict(None, type(error).__name__, broke=True)
        finally:
            module.datetime = datetime
        return Verdict(claims)

    return verify


def joserfc() -> Oracle:
    """Return joserfc with the key set, its three algorithms, unknown header members refused, ``typ`` and claims set."""
    keys = KeySet.import_key_set({"keys": [dict(key.jwk) for key in published_keys()]})
    algorithms = [key.algorithm for key in published_keys()]
    header = {
        "typ": HeaderParameter("Type", in_choices(["at+jwt"]), required=True),
        "kid": HeaderParameter("Key ID", "str", required=True),
    }
    registry = JWSRegistry(header, algorithms, strict_check_header=True)
    expected: Any = {name: {"essential": True} for name in REQUIRED_CLAIMS}
    expected |= {"iss": {"essential": True, "value": ISSUER}, "aud": {"essential": True, "value": AUDIENCE}}
    claims_registry = JWTClaimsRegistry(now=NOW, leeway=0, **expected)

    def verify(token: str) -> Verdict:
        try:
            decoded = joserfc_jwt.decode(token, keys, algorithms=algorithms, registry=registry)
            claims_registry.validate(decoded.claims)
        except JoseError as error:
            return Verdict(None, type(error).__name__)
        except Exception as error:  # noqa: BLE001 - as above
            return Verdict(None, type(error).__name__, broke=True)
        return Verdict(decoded.claims)

    return verify


class _StandingClock(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(NOW, tz)
