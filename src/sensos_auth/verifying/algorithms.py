"""The signature algorithms that exist here, and which keys each is for (RFC 7518 section 3.1, RFC 8037 section 3.1).

All are asymmetric. A shared key (``HS256``) is never for verifying what an issuer signed: who can verify could sign.
"""

from collections.abc import Mapping

_OF_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
_OF_RSA = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"))
_KEY_TYPES = {"P-256": "EC", "P-384": "EC", "P-521": "EC", "Ed25519": "OKP"}

ALGORITHMS = _OF_RSA.union(_OF_CURVES.values())


def fitting_algorithms(jwk: Mapping[str, object]) -> frozenset[str]:
    """Return the algorithms that a key of this type and curve could be for, by RFC 7517 members ``kty`` and ``crv``."""
    match jwk:
        case {"kty": "RSA"}:
            return _OF_RSA
        case {"kty": str(key_type), "crv": str(curve)} if _KEY_TYPES.get(curve) == key_type:
            return frozenset((_OF_CURVES[curve],))
        case _:
            return frozenset()
