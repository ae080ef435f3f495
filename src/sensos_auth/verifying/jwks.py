"""A JWK set (RFC 7517 section 5) becomes the keys that verify access tokens."""

from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from sensos_auth.model.errors import InvalidInput
from sensos_auth.verifying.algorithms import fitting_algorithms
from sensos_auth.verifying.base64url import decode_base64url
from sensos_auth.verifying.keys import VerificationKey
from sensos_auth.verifying.profile import Profile
from sensos_auth.verifying.roca import is_roca_modulus
from sensos_auth.verifying.sensos_profile import SENSOS
from sensos_auth.verifying.small_order import is_small_order
from sensos_auth.verifying.strict_json import parse_object

LARGEST_JWKS = 256 * 1024

_PRIVATE_MEMBERS = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
_RSA_BITS = range(2048, 8193)
_RSA_EXPONENTS = range(65537, 1 << 256, 2)


class LocalJwks:
    """The keys of a JWK set that the program has at hand, for tests and for services without a way to the issuer.

    ``document`` is the set as JSON. It never changes, so a rotation of the issuer's keys asks for a new one; see
    :class:`RemoteJwks` for keys that follow. Raises InvalidInput as :func:`parse_jwks` does.
    """

    def __init__(self, document: bytes | str, *, profile: Profile = SENSOS) -> None:
        self.profile = profile
        self._keys = parse_jwks(document.encode() if isinstance(document, str) else document, profile)

    def find(self, kid: str) -> VerificationKey | None:
        """Return the key with this key ID, or None."""
        return self._keys.get(kid)


def parse_jwks(document: bytes, profile: Profile = SENSOS) -> Mapping[str, VerificationKey]:
    """Return the usable keys of the JSON document by key ID.

    Each key is for the one algorithm that it names (EdDSA stands for Ed25519 alone). With a foreign issuer's profile,
    a key that names none is for the only one of the profile's algorithms that fits it. A key is passed over when it is
    not for verifying signatures, has no algorithm of the profile's, does not fit it, or is weak.

    Raises InvalidInput for the whole set when it is not a JWK set of at most 256 KiB, holds a symmetric key or a
    private member, names two keys alike, or leaves no usable key.
    """
    keys: dict[str, VerificationKey] = {}
    seen: set[str] = set()
    for jwk in _listed_keys(document):
        if jwk.get("kty") == "oct" or not _PRIVATE_MEMBERS.isdisjoint(jwk):
            raise InvalidInput("the JWK set holds a symmetric or private key: such a key is known to everyone by now")
        kid = jwk.get("kid")
        if not isinstance(kid, str):
            continue
        if kid in seen:
            raise InvalidInput("two keys of the JWK set have the same key ID")
        seen.add(kid)
        key = _usable_key(kid, jwk, profile)
        if key is not None:
            keys[kid] = key
    if not keys:
        raise InvalidInput("the JWK set has no key that can verify an access token")
    return keys


def _listed_keys(document: bytes) -> list[dict[str, object]]:
    if len(document) > LARGEST_JWKS:
        raise InvalidInput("the JWK set is larger than 256 KiB")
    try:
        listed = parse_object(document).get("keys")
    except ValueError:
        listed = None
    if not isinstance(listed, list) or not all(isinstance(jwk, dict) for jwk in listed):
        raise InvalidInput('a JWK set is a JSON object with a list of objects "keys" (RFC 7517 section 5)')
    return listed


def _usable_key(kid: str, jwk: dict[str, object], profile: Profile) -> VerificationKey | None:
    key_ops = jwk.get("key_ops", ["verify"])
    if (
        not profile.key_id.fullmatch(kid)
        or jwk.get("use", "sig") != "sig"
        or not isinstance(key_ops, list)
        or "verify" not in key_ops
    ):
        return None
    algorithm = _algorithm_of(jwk, profile)
    if algorithm is None:
        return None
    try:
        public_key = _public_key(jwk)
        if public_key is None:
            return None
        return VerificationKey(kid, algorithm, public_key)
    except (JoseError, ValueError, KeyError, UnsupportedAlgorithm):
        return None  # e.g. a point that is not on the curve


def _algorithm_of(jwk: dict[str, object], profile: Profile) -> str | None:
    fitting = profile.algorithms & fitting_algorithms(jwk)
    if "alg" in jwk:
        named = jwk["alg"]
        return named if isinstance(named, str) and named in fitting else None
    # RFC 8725 section 3.1: one key, one algorithm. Where several would do, the token would choose.
    return next(iter(fitting)) if profile.keys_may_name_no_algorithm and len(fitting) == 1 else None


def _public_key(jwk: dict[str, object]) -> Key | None:
    match jwk:
        case {"kty": "EC", "crv": str(crv), "x": str(x), "y": str(y)}:
            return ECKey.import_key({"kty": "EC", "crv": crv, "x": x, "y": y})
        case {"kty": "OKP", "crv": "Ed25519", "x": str(x)} if not is_small_order(decode_base64url(x)):
            return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": x})
        case {"kty": "RSA", "n": str(n), "e": str(e)}:
            return _strong_rsa_key(n, e)
        case _:
            return None


def _strong_rsa_key(n: str, e: str) -> RSAKey | None:
    modulus = int.from_bytes(decode_base64url(n))
    exponent = int.from_bytes(decode_base64url(e))
    if modulus.bit_length() not in _RSA_BITS or exponent not in _RSA_EXPONENTS or is_roca_modulus(modulus):
        return None
    return RSAKey.import_key({"kty": "RSA", "n": n, "e": e})
