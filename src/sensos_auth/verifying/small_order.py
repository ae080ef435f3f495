"""The Ed25519 public keys under which anybody can sign: the points whose order divides 8.

Such a point times the hash of any message is one of eight points, most often or always the neutral one, so a signature
that fits can be written down without a private key. RFC 8032 section 5.1.7 does not have verifiers look for them.
"""

_FIELD = (1 << 255) - 19
_OF_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
# The y coordinates of the points of order 4, 1, 2 and 8. Their encodings differ in the sign, and may not be reduced.
_COORDINATES = frozenset((0, 1, _FIELD - 1, _OF_ORDER_8, _FIELD - _OF_ORDER_8))


def is_small_order(public_key: bytes) -> bool:
    """Tell whether the 32 bytes (RFC 8032 section 5.1.2) are such a key, in any of its encodings."""
    y = int.from_bytes(public_key, "little") & ((1 << 255) - 1)
    return y % _FIELD in _COORDINATES
