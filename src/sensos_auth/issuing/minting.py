"""Claims and a signer become an access token: JWS compact serialization (RFC 7515 section 3.1)."""

from binascii import b2a_base64
from os import urandom

import msgspec

from sensos_auth.issuing.key_pair import Sign
from sensos_auth.model.access_token import TOKEN_TYPE, Claims
from sensos_auth.model.errors import ConfigurationError
from sensos_auth.model.signing_key import Algorithm

# Bytes. With header and signature such a token is close to the 8 KiB that HTTP servers allow for all headers.
CLAIMS_LIMIT = 4096

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_encode = msgspec.json.Encoder().encode


class Signer:
    """Signs access tokens with one key."""

    __slots__ = ("_header", "_sign", "kid")

    def __init__(self, kid: str, algorithm: Algorithm, sign: Sign) -> None:
        self.kid = kid
        self._sign = sign
        self._header = base64url(_encode({"alg": algorithm, "typ": TOKEN_TYPE, "kid": kid})) + b"."

    def mint(self, claims: Claims) -> str:
        """Return the access token that carries the claims; raises ConfigurationError when they reach 4 KiB."""
        payload = _encode(claims)
        if len(payload) >= CLAIMS_LIMIT:
            raise ConfigurationError(
                f"the claims of a token of {claims.sub} reach {CLAIMS_LIMIT} bytes, more than gateways let pass: "
                "shorten SENSOS_AUTH_ISSUER, SENSOS_AUTH_AUDIENCE or the application's scope"
            )
        message = self._header + base64url(payload)
        return (message + b"." + base64url(self._sign(message))).decode()


def new_token_id() -> str:
    """Return a fresh ``jti``: 128 random bits, taken from the operating system at use."""
    return base64url(urandom(16)).decode()


def base64url(data: bytes) -> bytes:
    """Return base64url without padding (RFC 7515 section 2)."""
    return b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=")
