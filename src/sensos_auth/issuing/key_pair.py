"""Key pairs: made with joserfc, kept as PKCS #8, used to sign with cryptography.

ES256 (RFC 7518 section 3.4) signs deterministically (RFC 6979): a cloned machine's random numbers can't leak the key.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc.jwk import ECKey, JWKRegistry, OctKey, OKPKey, RSAKey

from sensos_auth.model.signing_key import Algorithm

Sign = Callable[[bytes], bytes]

_P256_COORDINATE = 32
_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A fresh key pair. ``private_key`` is PKCS #8 DER and must only be stored sealed."""

    kid: str
    algorithm: Algorithm
    public_jwk: str
    private_key: bytes

    def __repr__(self) -> str:
        return f"KeyPair(kid={self.kid!r}, algorithm={self.algorithm!r})"


def new_key_pair(algorithm: Algorithm) -> KeyPair:
    """Return a fresh key pair; its key ID is its RFC 7638 thumbprint."""
    key: ECKey | RSAKey | OKPKey
    match algorithm:
        case "ES256":
            key = ECKey.generate_key("P-256")
        case "RS256":
            key = RSAKey.generate_key(_RSA_BITS)
        case "EdDSA":
            key = OKPKey.generate_key("Ed25519")
    kid = key.thumbprint()
    public = key.as_dict(private=False) | {"kid": kid, "use": "sig", "alg": algorithm}
    return KeyPair(kid, algorithm, json.dumps(public), key.as_der(private=True))


def public_pem(public_jwk: str) -> str:
    """Return a public key, given as RFC 7517 JSON, as PEM (RFC 7468 section 13), with the line's end."""
    key = JWKRegistry.import_key(json.loads(public_jwk))
    if isinstance(key, OctKey):
        raise TypeError("not a public key")
    return key.as_pem(private=False).decode()


def load_signature_function(algorithm: Algorithm, private_key: bytes) -> Sign:
    """Return the function that signs bytes with the PKCS #8 key as the JWS algorithm asks (RFC 7515 section 5.1)."""
    key = serialization.load_der_private_key(private_key, password=None)
    match algorithm, key:
        case "ES256", ec.EllipticCurvePrivateKey():
            return _es256(key)
        case "RS256", rsa.RSAPrivateKey():
            return lambda message: key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        case "EdDSA", ed25519.Ed25519PrivateKey():
            return key.sign
        case _:
            raise TypeError(f"not a private key for {algorithm}")


def _es256(key: ec.EllipticCurvePrivateKey) -> Sign:
    scheme = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, scheme))
        return r.to_bytes(_P256_COORDINATE) + s.to_bytes(_P256_COORDINATE)

    return sign
