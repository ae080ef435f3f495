"""The keys that verify access tokens: each with the one algorithm that it is for (RFC 8725 section 3.1)."""

from dataclasses import dataclass, field
from typing import Protocol

from joserfc.jwk import Key
from joserfc.jws import JWSRegistry

from sensos_auth.verifying.compact_jws import CompactJws


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key, its key ID, and its algorithm, which comes from its issuer and never from a token."""

    kid: str
    algorithm: str
    public_key: Key = field(repr=False)

    def __post_init__(self) -> None:
        JWSRegistry.algorithms[self.algorithm].check_key(self.public_key)

    def is_same_as(self, other: "VerificationKey") -> bool:
        """Tell whether the other one verifies the same tokens: equal key ID, algorithm and thumbprint (RFC 7638)."""
        return (
            self.kid == other.kid
            and self.algorithm == other.algorithm
            and self.public_key.thumbprint() == other.public_key.thumbprint()
        )

    def verifies(self, jws: CompactJws) -> bool:
        """Tell whether this key made the signature, with its own algorithm."""
        if jws.algorithm != self.algorithm:
            return False
        return JWSRegistry.algorithms[self.algorithm].verify(jws.signing_input, jws.signature, self.public_key)


class VerificationKeys(Protocol):
    """Where a verifier finds its keys. Called by many threads at once, on every request: answer from memory."""

    def find(self, kid: str) -> VerificationKey | None:
        """Return the key with this key ID, or None if the issuer has no such key.

        As long as a key stands, it is the same object each time: a verdict lasts only as long as the key it rests on.

        Raises KeysUnavailable when that can't be told, because no usable keys are held.
        """
