"""Tokens, taken apart and put together wrongly: JWS compact serialization (RFC 7515 section 3.1)."""

import base64
import datetime as dt
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sensos_auth.model.errors import InvalidInput

Sign = Callable[[bytes], bytes]

_HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
_COMPACT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}")
_P256_COORDINATE = 32


@dataclass(frozen=True, slots=True)
class GoodToken:
    """A token that the service should accept, and its parts."""

    text: str = field(repr=False)
    header: Mapping[str, object] = field(repr=False)
    claims: Mapping[str, object] = field(repr=False)

    @property
    def parts(self) -> tuple[str, str, str]:
        """Return header, payload and signature as they stand in the token."""
        header, payload, signature = self.text.split(".")
        return header, payload, signature

    @property
    def algorithm(self) -> str:
        """Return its ``alg``."""
        return str(self.header.get("alg"))

    @property
    def kid(self) -> str:
        """Return its ``kid``."""
        return str(self.header.get("kid", ""))


def parse_good_token(text: str) -> GoodToken:
    """Return the token's parts; raises InvalidInput, which does not repeat it, if it is no signed JWT."""
    try:
        header, claims = (json.loads(decode_base64url(part)) for part in text.split(".")[:2])
    except (ValueError, RecursionError):
        header, claims = None, None
    if not (_COMPACT.fullmatch(text) and isinstance(header, dict) and isinstance(claims, dict)):
        raise InvalidInput("the token is no JWT (three parts of base64url, the first two JSON objects)")
    return GoodToken(text, header, claims)


def base64url(data: bytes) -> str:
    """Return base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes:
    """Return the bytes; raises ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def part(content: object) -> str:
    """Return a header or claims as a part of a token: bytes as they are, anything else as JSON."""
    return base64url(content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode())


def token(header: object, claims: object, sign: Sign) -> str:
    """Return the token with exactly this header and these claims (JSON values, or raw bytes)."""
    message = f"{part(header)}.{part(claims)}"
    return f"{message}.{base64url(sign(message.encode()))}"


def changed(members: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """Return the members with some changed or added; ``...`` leaves one out."""
    return {name: value for name, value in {**members, **changes}.items() if value is not ...}


def hmac_with(secret: bytes, algorithm: str = "HS256") -> Sign:
    """Return what signs with a shared secret (RFC 7518 section 3.2)."""
    return lambda message: hmac.new(secret, message, _HASHES[algorithm]).digest()


@dataclass(frozen=True)
class OwnKeys:
    """Key pairs that the probe makes itself, and nobody should trust."""

    ec_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    rsa_key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65_537, 2048))
    ed25519_key: ed25519.Ed25519PrivateKey = field(default_factory=ed25519.Ed25519PrivateKey.generate)

    def es256(self, message: bytes) -> bytes:
        """Sign as ES256 (RFC 7518 section 3.4)."""
        r, s = decode_dss_signature(self.ec_key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_P256_COORDINATE) + s.to_bytes(_P256_COORDINATE)

    def rs256(self, message: bytes) -> bytes:
        """Sign as RS256 (RFC 7518 section 3.3)."""
        return self.rsa_key.sign(message, padding.PKCS1v15(), hashes.SHA256())

    def ps256(self, message: bytes) -> bytes:
        """Sign as PS256 (RFC 7518 section 3.5)."""
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
        return self.rsa_key.sign(message, pss, hashes.SHA256())

    def eddsa(self, message: bytes) -> bytes:
        """Sign as EdDSA (RFC 8037 section 3.1)."""
        return self.ed25519_key.sign(message)

    def public_jwk(self) -> dict[str, str]:
        """Return the public half of the EC key (RFC 7518 section 6.2)."""
        numbers = self.ec_key.public_key().public_numbers()
        x, y = (base64url(number.to_bytes(_P256_COORDINATE)) for number in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}

    def certificate(self) -> x509.Certificate:
        """Return a certificate for the EC key, signed by itself."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "probe.invalid")])
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(
            issuer_name=name,
            subject_name=name,
            public_key=self.ec_key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - dt.timedelta(days=1),
            not_valid_after=now + dt.timedelta(days=1),
        )
        return builder.sign(self.ec_key, hashes.SHA256())

    def certificate_pem(self) -> bytes:
        """Return the certificate as servers offer it for ``x5u`` (RFC 7515 section 4.1.5)."""
        return self.certificate().public_bytes(Encoding.PEM)
