"""Keys and signatures that come out the same in every run: what the mutants are made with."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from joserfc.jwk import ECKey, OKPKey, RSAKey

from sensos_auth.issuing.key_pair import load_signature_function
from sensos_auth.issuing.minting import base64url
from sensos_auth.model.signing_key import Algorithm

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = (1 << 252) + 27742317777372353535851937790883648493
_EXPONENT = 65537
_SMALL_PRIMES = [p for p in range(3, 2000, 2) if all(p % divisor for divisor in range(3, int(p**0.5) + 1, 2))]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair with a fixed origin; ``order`` is what its signatures are counted modulo."""

    algorithm: Algorithm
    kid: str
    jwk: dict[str, str]
    public_pem: bytes
    order: int
    sign: Callable[[bytes], bytes]


@cache
def signing_key(algorithm: Algorithm, origin: str) -> SigningKey:
    """Return the one key that this origin names."""
    random = Random(f"{algorithm}:{origin}")  # noqa: S311 - the same in every run
    private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    imported: ECKey | OKPKey | RSAKey
    order: int
    match algorithm:
        case "ES256":
            private = ec.derive_private_key(random.randrange(1, P256_ORDER), ec.SECP256R1())
            order, imported = P256_ORDER, ECKey.import_key(private)
        case "EdDSA":
            private = ed25519.Ed25519PrivateKey.from_private_bytes(random.randbytes(32))
            order, imported = ED25519_ORDER, OKPKey.import_key(private)
        case "RS256":
            private = _rsa_key(random)
            order, imported = private.private_numbers().public_numbers.n, RSAKey.import_key(private)
    kid = imported.thumbprint()
    members = {name: str(value) for name, value in imported.as_dict(private=False).items()}
    der = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    jwk = members | {"kid": kid, "use": "sig", "alg": algorithm}
    return SigningKey(algorithm, kid, jwk, pem, order, load_signature_function(algorithm, der))


def hmac_sha256(secret: bytes, message: bytes) -> bytes:
    """Return what HS256 makes of the message."""
    return hmac.digest(secret, message, "sha256")


def encoded(data: bytes) -> str:
    """Return the base64url text of the bytes."""
    return base64url(data).decode()


def _rsa_key(random: Random) -> rsa.RSAPrivateKey:
    p, q = _prime(random), _prime(random)
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(_EXPONENT, p * q)
    dmp1, dmq1, iqmp = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return rsa.RSAPrivateNumbers(p, q, d, dmp1, dmq1, iqmp, public).private_key()


def _prime(random: Random) -> int:
    while True:
        candidate = random.getrandbits(1024) | 3 << 1022 | 1
        if all(candidate % p for p in _SMALL_PRIMES) and all(
            pow(base, candidate - 1, candidate) == 1 for base in (2, 3, 5)
        ):
            return candidate
