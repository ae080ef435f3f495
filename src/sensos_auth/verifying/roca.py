"""The fingerprint of RSA keys that a flawed chip library made and that can be factored (ROCA, CVE-2017-15361).

Nemec, Sys, Svenda, Klinec, Matyas: The Return of Coppersmith's Attack, CCS 2017, section 3: such a modulus is a power
of 65537 modulo every small prime, which a sound one is with a probability below 2**-27.
"""

_GENERATOR = 65537
_PRIMES = [p for p in range(3, 168) if all(p % divisor for divisor in range(2, p))]
_POWERS = {p: frozenset(pow(_GENERATOR, exponent, p) for exponent in range(p)) for p in _PRIMES}


def is_roca_modulus(modulus: int) -> bool:
    """Tell whether the RSA modulus carries the fingerprint."""
    return all(modulus % p in powers for p, powers in _POWERS.items())
