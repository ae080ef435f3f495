"""The signature does not fit: another text, another signature, none."""

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from sensos_auth.probing.faults import FOREIGN_KEY, LOOSE_SIGNATURE, UNSIGNED, Fault
from sensos_auth.probing.means import Means
from sensos_auth.probing.probe import Expectation, Group, NotRun, Probe
from sensos_auth.probing.tokens import base64url, changed, decode_base64url, part, token

_P256_COORDINATE = 32
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_FAR_FUTURE = 1 << 33
_64_KIB = 65_536


def probes(means: Means) -> Iterator[Probe | NotRun]:
    """Yield requests with a token whose claims nobody signed, or somebody else."""
    good = means.good
    header, payload, signature = good.parts
    signed = decode_base64url(signature)
    other_tenant = part(changed(good.claims, {"tenant_id": "ten_probe", "scope": "admin"}))
    long_lived = part(changed(good.claims, {"exp": _FAR_FUTURE}))
    yield _probe(means, "claims changed", f"{header}.{other_tenant}.{signature}")
    yield _probe(means, "expiry changed", f"{header}.{long_lived}.{signature}")
    yield _probe(means, "header changed", f"{part(changed(good.header, {'x': 1}))}.{payload}.{signature}")
    yield _probe(means, "no signature", f"{header}.{payload}.")
    yield _probe(means, "claims changed, no signature", f"{header}.{other_tenant}.")
    yield _probe(means, "one byte", f"{header}.{payload}.AA")
    yield _probe(means, "zeros", f"{header}.{payload}.{base64url(bytes(len(signed)))}")
    yield _probe(means, "cut off", f"{header}.{payload}.{base64url(signed[:-1])}")
    longer = f"{header}.{payload}.{base64url(signed + bytes(1))}"
    yield _probe(means, "a zero byte more", longer, LOOSE_SIGNATURE)
    yield _probe(means, "of other bytes", f"{header}.{payload}.{base64url(bytes(255 - byte for byte in signed))}")
    large = f"{good.text}{'A' * _64_KIB}"
    # The HTTP server may refuse it as too large.
    request = means.endpoint.bearer(large)
    yield Probe(Group.SIGNATURE, "64 KiB more", request, Expectation.MALFORMED, LOOSE_SIGNATURE, shown=large)
    yield from _ecdsa(means, f"{header}.{payload}", f"{header}.{other_tenant}", signed)
    yield from _own_keys(means)


def _ecdsa(means: Means, message: str, other_message: str, signed: bytes) -> Iterator[Probe | NotRun]:
    if means.good.algorithm != "ES256" or len(signed) != 2 * _P256_COORDINATE:
        for name in ("r and s from 0 and n", "DER instead of r and s"):
            yield NotRun(Group.SIGNATURE, name, "is for ES256, and the good token has another algorithm")
        return
    edges = {"0": 0, "1": 1, "n": _P256_ORDER}
    for r_name, r in edges.items():
        for s_name, s in edges.items():
            psychic = base64url(r.to_bytes(_P256_COORDINATE) + s.to_bytes(_P256_COORDINATE))
            yield _probe(means, f"r={r_name}, s={s_name}", f"{other_message}.{psychic}")
    r, s = int.from_bytes(signed[:_P256_COORDINATE]), int.from_bytes(signed[_P256_COORDINATE:])
    der = f"{message}.{base64url(encode_dss_signature(r, s))}"
    yield _probe(means, "DER instead of r and s", der, LOOSE_SIGNATURE)


def _own_keys(means: Means) -> Iterator[Probe]:
    keys, claims = means.own_keys, means.fresh_claims({})
    signs = (
        ("ES256", keys.es256),
        ("RS256", keys.rs256),
        ("PS256", keys.ps256),
        ("EdDSA", keys.eddsa),
    )
    for algorithm, sign in signs:
        text = token({**means.good.header, "alg": algorithm}, claims, sign)
        yield _probe(means, f"by an own key, {algorithm}, with the issuer's key ID", text, FOREIGN_KEY)


def _probe(means: Means, name: str, text: str, fault: Fault = UNSIGNED) -> Probe:
    return Probe(Group.SIGNATURE, name, means.endpoint.bearer(text), Expectation.INVALID, fault, shown=text)
