"""Valid tokens, and what becomes of them: each mutant follows from a seed and its number alone."""

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from sensos_auth.model.signing_key import Algorithm
from tests.verifying.differential.json_text import mutate_json
from tests.verifying.differential.keys import SigningKey, encoded, hmac_sha256, signing_key
from tests.verifying.differential.signatures import mutate_signature
from tests.verifying.differential.texts import mutate_base64url, mutate_text
from tests.verifying.differential.values import mutate_claims, mutate_header, written
from tests.verifying.issued import good_claims

if TYPE_CHECKING:
    from tests.verifying.differential.values import Members

_LEVELS = ["header", "claims", "header JSON", "claims JSON", "signer", "signature", "base64url", "text"]
_WEIGHTS = [20, 25, 10, 15, 8, 12, 12, 8]
_ALGORITHMS: list[Algorithm] = ["ES256", "EdDSA", "RS256"]
_NOT_PUBLISHED = {algorithm: f"not published {algorithm}" for algorithm in _ALGORITHMS}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A token, what was done to it, and the one thing in it that was really signed.

    ``message`` is what the published key ``kid`` signed with ``signature``; None and empty when nobody did.
    """

    token: str
    done: tuple[str, ...]
    kid: str | None
    message: str
    signature: bytes


def published_keys() -> list[SigningKey]:
    """Return the keys that every verifier here knows, one of each algorithm."""
    return [signing_key(algorithm, "published") for algorithm in _ALGORITHMS]


def mutant(seed: int, number: int) -> Mutant:
    """Return the mutant with this number."""
    random = Random(f"{seed}:{number}")  # noqa: S311 - the same in every run
    levels = set(random.choices(_LEVELS, _WEIGHTS, k=random.choice([1, 1, 1, 2, 2, 3])))
    key = signing_key(random.choices(_ALGORITHMS, [75, 15, 10])[0], "published")
    header: Members = {"alg": key.algorithm, "typ": "at+jwt", "kid": key.kid}
    claims = good_claims()
    done = []
    if "header" in levels:
        done += [mutate_header(random, header, key) for _ in range(random.choice([1, 1, 2]))]
    if "claims" in levels:
        done += [mutate_claims(random, claims) for _ in range(random.choice([1, 1, 2]))]
    protected, payload = written(random, header).encode(), written(random, claims).encode()
    if "header JSON" in levels:
        protected, what = mutate_json(random, protected.decode(), ["alg", "typ", "kid", "crit", "jwk"])
        done.append(f"header JSON: {what}")
    if "claims JSON" in levels:
        payload, what = mutate_json(random, payload.decode(), list(good_claims()))
        done.append(f"claims JSON: {what}")
    message = f"{encoded(protected)}.{encoded(payload)}"
    signer = random.randrange(5) if "signer" in levels else -1
    signature = _signature(random, message, key, signer)
    if signer >= 0:
        done.append(f"signer {signer}")
    by_key = signature if signer < 0 else b""
    if "signature" in levels:
        signature, what = mutate_signature(random, signature, key)
        done.append(f"signature {what}")
    token = f"{message}.{encoded(signature)}"
    if "base64url" in levels:
        token, what = mutate_base64url(random, token)
        done.append(what)
    if "text" in levels:
        token, what = mutate_text(random, token)
        done.append(what)
    return Mutant(token, tuple(done), key.kid if by_key else None, message if by_key else "", by_key)


def _signature(random: Random, message: str, key: SigningKey, signer: int) -> bytes:
    data = message.encode()
    match signer:
        case -1:
            return key.sign(data)
        case 0:
            return signing_key(key.algorithm, _NOT_PUBLISHED[key.algorithm]).sign(data)
        case 1:
            other = random.choice([algorithm for algorithm in _ALGORITHMS if algorithm != key.algorithm])
            return signing_key(other, "published").sign(data)
        case 2:
            secret = random.choice([key.public_pem, key.public_pem.strip(), key.jwk.get("n", "").encode(), b""])
            return hmac_sha256(secret, data)
        case 3:
            return key.sign(b"another message")
        case _:
            return b""
