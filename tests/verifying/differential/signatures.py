"""Mutations of signatures, as bytes."""

from random import Random

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.verifying.differential.keys import P256_ORDER, SigningKey

_HALF = 32


def mutate_signature(random: Random, signature: bytes, key: SigningKey) -> tuple[bytes, str]:
    """Return what became of the signature, and what was done."""
    match random.randrange(8):
        case 0:
            return signature[: random.randrange(len(signature))] if signature else b"", "truncated"
        case 1:
            return signature + random.choice([b"\0", b"\0\0\0", signature, random.randbytes(3)]), "extended"
        case 2:
            return bytes(len(signature)), "zeros"
        case 3:
            return b"\0" + signature, "leading zero"
        case 4:
            changed = bytearray(signature or b"\0")
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
            return bytes(changed), "flipped bit"
        case _:
            return _arithmetic(random, signature, key), "arithmetic"


def malleated(signature: bytes) -> bytes:
    """Return the other ECDSA signature, (r, n-s), that is good for the same message (ATTACKS D08)."""
    r, s = signature[:_HALF], int.from_bytes(signature[_HALF:])
    return r + (P256_ORDER - s).to_bytes(_HALF)


def _arithmetic(random: Random, signature: bytes, key: SigningKey) -> bytes:
    n = key.order
    if key.algorithm == "RS256":
        value = int.from_bytes(signature)
        changed = random.choice([value + n, n - value if value < n else 0, 0, 1, n - 1, n, n + 1]).to_bytes(257)
        return changed.removeprefix(b"\0" if random.random() < 0.8 else b"")
    if len(signature) != 2 * _HALF:
        return signature[::-1]
    first, second = signature[:_HALF], signature[_HALF:]
    if key.algorithm == "EdDSA":
        s = int.from_bytes(second, "little")
        return random.choice(
            [
                first + ((s + n) % (1 << 256)).to_bytes(_HALF, "little"),
                first + bytes(_HALF),
                b"\x01" + bytes(_HALF - 1) + second,
                b"\x01" + bytes(_HALF - 1) + bytes(_HALF),
                second + first,
            ]
        )
    r, s = int.from_bytes(first), int.from_bytes(second)
    special = [0, 1, n - 1, n, (1 << 256) - 1, r, s]
    return random.choice(
        [
            malleated(signature) if 0 < s < n else signature,
            encode_dss_signature(r, s),
            second + first,
            (n - r if r < n else r).to_bytes(_HALF) + second,
            random.choice(special).to_bytes(_HALF) + random.choice(special).to_bytes(_HALF),
            (r + n).to_bytes(_HALF + 1) + s.to_bytes(_HALF + 1),
            r.to_bytes(_HALF + 8) + s.to_bytes(_HALF + 8),
        ]
    )
