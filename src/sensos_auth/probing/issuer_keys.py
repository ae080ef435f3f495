"""The issuer's public keys, and the texts of them that careless code takes for a shared secret."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from sensos_auth.model.errors import InvalidInput

_UNUSABLE = "this is no JWK set that holds the public key which signed the token"

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """A JWK set (RFC 7517 section 5): its text as it was published, and the key with the good token's key ID."""

    document: bytes
    jwk: dict[str, object]
    key: PublicKey

    def secrets(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name of a form and the key in that form."""
        spki = self.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        yield "PEM", spki
        yield "PEM without the last newline", spki.rstrip(b"\n")
        yield "PEM with CRLF", spki.replace(b"\n", b"\r\n")
        yield "DER", self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        yield "JWK", json.dumps(self.jwk).encode()
        yield "JWK without spaces", json.dumps(self.jwk, separators=(",", ":")).encode()
        yield "JWKS", self.document
        if isinstance(self.key, rsa.RSAPublicKey):
            pkcs1 = self.key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
            yield "PKCS #1 PEM", pkcs1
            numbers = self.key.public_numbers()
            yield "modulus", numbers.n.to_bytes((self.key.key_size + 7) // 8)
        elif isinstance(self.key, ec.EllipticCurvePublicKey):
            point = self.key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            yield "uncompressed point", point
            yield "coordinates", point[1:]
            yield "compressed point", self.key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        else:
            yield "raw key", self.key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def parse_issuer_keys(document: bytes, kid: str) -> IssuerKeys:
    """Return the keys of a JWK set; raises InvalidInput when it is none, or has no usable key of that key ID."""
    try:
        jwks = json.loads(document)
        jwk = next(jwk for jwk in jwks["keys"] if jwk.get("kid") == kid)
        key = JWKRegistry.import_key(jwk).public_key
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError, StopIteration, JoseError):
        raise InvalidInput(_UNUSABLE) from None
    if not isinstance(key, PublicKey):
        raise InvalidInput(_UNUSABLE)
    return IssuerKeys(document, jwk, key)
