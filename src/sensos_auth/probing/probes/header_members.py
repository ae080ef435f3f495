"""Members of the token's header that bring a key, choose one, or change how the token is to be read."""

import base64
from collections.abc import Iterator

from cryptography.hazmat.primitives.serialization import Encoding

from sensos_auth.probing.faults import (
    CRITICAL_IGNORED,
    FOREIGN_KEY,
    KEY_FROM_THE_TOKEN,
    KEY_ID_IS_USED_AS_A_NAME,
    WRONG_TYPE,
    Fault,
)
from sensos_auth.probing.key_server import CERTIFICATE_PATH, JWKS_PATH
from sensos_auth.probing.means import NEEDS_REGISTRY, NEEDS_THIS_MACHINE, Means
from sensos_auth.probing.probe import Expectation, Group, NotRun, Probe
from sensos_auth.probing.tokens import hmac_with, token

JKU_HERE = "jku of a server of the probe's own"
X5U_HERE = "x5u of a server of the probe's own"
_SOMEWHERE = "https://keys.invalid"  # RFC 2606: resolves nowhere
_KEY_IDS: tuple[tuple[str, object], ...] = (
    ("absent", ...),
    ("null", None),
    ("empty", ""),
    ("a number", 0),
    ("a list", [""]),
    ("unknown", "nobody-knows-this-key"),
    ("4 KiB", "k" * 4096),
    ("a URL", f"{_SOMEWHERE}/key.pem"),
    ("a command", "key; sleep 0 #"),
)
# A key ID, and the secret that it would yield if it were the name of a file, or a piece of SQL.
_NAMES = (
    ("path to an empty file", "../../../../../../dev/null", b""),
    ("absolute path", "/dev/null", b""),
    ("path, percent-encoded", "..%2f..%2f..%2f..%2f..%2fdev%2fnull", b""),
    ("SQL", "x' UNION SELECT 'probe' --", b"probe"),
    ("SQL, double quotes", 'x" UNION SELECT "probe" --', b"probe"),
)
_CRITICAL: tuple[tuple[str, dict[str, object]], ...] = (
    ("crit, unknown", {"crit": ["probe"], "probe": True}),
    ("crit, a registered claim", {"crit": ["exp"], "exp": 0}),
    ("crit, empty", {"crit": []}),
    ("crit, b64", {"crit": ["b64"], "b64": False}),
)
_TYPES: tuple[tuple[str, object], ...] = (
    ("typ JWT", "JWT"),
    ("typ absent", ...),
    ("typ of a DPoP proof", "dpop+jwt"),
    ("typ of a client assertion", "client-authentication+jwt"),
    ("typ of a logout token", "logout+jwt"),
)


def probes(means: Means) -> Iterator[Probe | NotRun]:
    """Yield requests with a token that tries to choose its own key, its own rules, or its own kind."""
    yield from _own_key_in_the_token(means)
    claims = means.fresh_claims({})
    for name, kid in _KEY_IDS:
        yield _probe(means, f"kid {name}", token(means.own_header(kid=kid), claims, means.own_keys.es256), FOREIGN_KEY)
    for name, kid, secret in _NAMES:
        text = token({**means.good.header, "alg": "HS256", "kid": kid}, claims, hmac_with(secret))
        yield _probe(means, f"kid {name}", text, KEY_ID_IS_USED_AS_A_NAME)
    for cases, fault in ((_CRITICAL, CRITICAL_IGNORED), (tuple((n, {"typ": t}) for n, t in _TYPES), WRONG_TYPE)):
        for name, members in cases:
            if means.registry is None:
                yield NotRun(Group.HEADER_MEMBERS, name, NEEDS_REGISTRY)
            else:
                yield _probe(means, name, means.issuer_signed(means.registry, members, claims), fault)


def _own_key_in_the_token(means: Means) -> Iterator[Probe | NotRun]:
    keys = means.own_keys
    jwk, certificate = keys.public_jwk(), keys.certificate().public_bytes(Encoding.DER)
    members: tuple[tuple[str, dict[str, object]], ...] = (
        ("jwk", {"jwk": jwk}),
        ("jwk with the issuer's key ID", {"jwk": {**jwk, "kid": means.good.kid}}),
        ("jwk, kid of its own", {"jwk": {**jwk, "kid": "own"}, "kid": "own"}),
        ("jku", {"jku": f"{_SOMEWHERE}/jwks.json"}),
        ("jku, the endpoint's host as user", {"jku": f"https://{means.endpoint.host}@keys.invalid/jwks.json"}),
        ("x5u", {"x5u": f"{_SOMEWHERE}/key.pem"}),
        ("x5c", {"x5c": [base64.b64encode(certificate).decode()]}),
        ("zip", {"zip": "DEF"}),
        ("b64", {"b64": False}),
        ("b64 and crit", {"b64": False, "crit": ["b64"]}),
        ("nested", {"cty": "JWT"}),
    )
    here = means.key_server
    members += (
        (JKU_HERE, {"jku": here.url(JWKS_PATH) if here else _SOMEWHERE}),
        (X5U_HERE, {"x5u": here.url(CERTIFICATE_PATH) if here else _SOMEWHERE}),
    )
    for name, changes in members:
        if here is None and name in {JKU_HERE, X5U_HERE}:
            yield NotRun(Group.HEADER_MEMBERS, f"own key, {name}", NEEDS_THIS_MACHINE)
            continue
        text = token(means.own_header(**changes), means.fresh_claims({}), keys.es256)
        yield _probe(means, f"own key, {name}", text, KEY_FROM_THE_TOKEN)


def _probe(means: Means, name: str, text: str, fault: Fault) -> Probe:
    return Probe(Group.HEADER_MEMBERS, name, means.endpoint.bearer(text), Expectation.INVALID, fault, shown=text)
