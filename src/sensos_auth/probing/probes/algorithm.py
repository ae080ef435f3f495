"""The algorithm that a token names: none, a shared secret's, or another than that of the key (RFC 8725 section 3.1)."""

from collections.abc import Iterator

from sensos_auth.probing.faults import ALGORITHM_NONE, GUESSABLE_SECRET, PUBLIC_KEY_AS_SECRET, UNSIGNED, Fault
from sensos_auth.probing.means import NEEDS_PUBLIC_KEYS, Means
from sensos_auth.probing.probe import Expectation, Group, NotRun, Probe
from sensos_auth.probing.tokens import changed, hmac_with, part, token

_SPELLINGS_OF_NONE = ("none", "None", "NONE", "nOnE", "none ", "none\0")
_OTHERS: tuple[tuple[str, object], ...] = (
    ("another curve", "ES384"),
    ("RSA", "RS256"),
    ("RSA-PSS", "PS256"),
    ("secp256k1", "ES256K"),
    ("lower case", "es256"),
    ("a space before it", " ES256"),
    ("empty", ""),
    ("null", None),
    ("a list", ["ES256"]),
    ("absent", ...),
)


def probes(means: Means) -> Iterator[Probe | NotRun]:
    """Yield requests with a token that names an algorithm which the issuer's key is not for."""
    claims = means.fresh_claims({})
    payload, signature = part(claims), means.good.parts[2]
    for spelling in _SPELLINGS_OF_NONE:
        header = part({**means.good.header, "alg": spelling})
        yield _probe(means, repr(spelling), f"{header}.{payload}.", ALGORITHM_NONE)
    header = part({**means.good.header, "alg": "none"})
    yield _probe(means, "'none', with a signature", f"{header}.{payload}.{signature}", ALGORITHM_NONE)
    yield _probe(means, "'none', two parts", f"{header}.{payload}", ALGORITHM_NONE)
    yield _probe(
        means, "'none', without key ID", f"{part({'alg': 'none', 'typ': 'at+jwt'})}.{payload}.", ALGORITHM_NONE
    )
    for name, value in _OTHERS:
        if value != means.good.algorithm:
            header = part(changed(means.good.header, {"alg": value}))
            yield _probe(means, f"{name}, signature kept", f"{header}.{means.good.parts[1]}.{signature}", UNSIGNED)
    for secret_name, secret in (("empty", b""), ("'secret'", b"secret"), ("the key ID", means.good.kid.encode())):
        text = token({**means.good.header, "alg": "HS256"}, claims, hmac_with(secret))
        yield _probe(means, f"HS256, {secret_name} as secret", text, GUESSABLE_SECRET)
    yield from _public_key_as_secret(means, claims)


def _public_key_as_secret(means: Means, claims: dict[str, object]) -> Iterator[Probe | NotRun]:
    if means.issuer_keys is None:
        yield NotRun(Group.ALGORITHM, "HS256, the public key in all forms as secret", NEEDS_PUBLIC_KEYS)
        return
    for name, secret in means.issuer_keys.secrets():
        for algorithm in ("HS256", "HS384", "HS512") if name == "PEM" else ("HS256",):
            text = token({**means.good.header, "alg": algorithm}, claims, hmac_with(secret, algorithm))
            yield _probe(means, f"{algorithm}, the public key as {name}", text, PUBLIC_KEY_AS_SECRET)


def _probe(means: Means, name: str, text: str, fault: Fault) -> Probe:
    return Probe(Group.ALGORITHM, name, means.endpoint.bearer(text), Expectation.INVALID, fault, shown=text)
