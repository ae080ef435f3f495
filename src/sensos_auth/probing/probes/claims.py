"""Claims that are wrong, under a signature that is right: only who has the issuer's key can try them."""

import json
from collections.abc import Iterator

from sensos_auth.probing.faults import (
    AUDIENCE,
    AUDIENCE_LIST,
    BOUND,
    EXPIRY,
    INCOMPLETE,
    ISSUED_LATER,
    ISSUER,
    LIFETIME,
    NO_TENANT,
    NOT_YET,
    UNCLEAR_CLAIMS,
    Fault,
)
from sensos_auth.probing.means import NEEDS_REGISTRY, Means
from sensos_auth.probing.probe import Expectation, Group, NotRun, Probe

_HOUR = 3600
_YEAR = 31_536_000
_Case = tuple[str, Fault, dict[str, object]]


def probes(means: Means) -> Iterator[Probe | NotRun]:
    """Yield requests with properly signed tokens, each with one claim that must make it refused."""
    cases: list[tuple[str, Fault, object]] = [
        (name, fault, means.fresh_claims(changes))
        for name, fault, changes in (*_times(means.now), *_issuers(means), *_audiences(means), *_callers())
    ]
    cases += _unclear(means)
    for name, fault, claims in cases:
        if means.registry is None:
            yield NotRun(Group.CLAIMS, name, NEEDS_REGISTRY)
            continue
        text = means.issuer_signed(means.registry, {}, claims)
        yield Probe(Group.CLAIMS, name, means.endpoint.bearer(text), Expectation.INVALID, fault, shown=text)


def _times(now: int) -> Iterator[_Case]:
    yield "expired an hour ago", EXPIRY, {"iat": now - 2 * _HOUR, "exp": now - _HOUR}
    yield "expired five minutes ago", EXPIRY, {"iat": now - _HOUR, "exp": now - 300}
    yield "expired 30 seconds ago", EXPIRY, {"iat": now - _HOUR, "exp": now - 30}
    yield "exp 0", EXPIRY, {"exp": 0}
    yield "exp negative", UNCLEAR_CLAIMS, {"exp": -1}
    yield "exp absent", INCOMPLETE, {"exp": ...}
    yield "exp null", INCOMPLETE, {"exp": None}
    yield "exp true", UNCLEAR_CLAIMS, {"exp": True}
    yield "exp a text", UNCLEAR_CLAIMS, {"exp": str(now + _HOUR)}
    yield "exp of 300 digits", UNCLEAR_CLAIMS, {"exp": 10**300}
    yield "nbf in an hour", NOT_YET, {"nbf": now + _HOUR, "exp": now + 2 * _HOUR}
    yield "nbf a text", UNCLEAR_CLAIMS, {"nbf": "later"}
    yield "iat in an hour", ISSUED_LATER, {"iat": now + _HOUR, "exp": now + 2 * _HOUR}
    yield "iat absent", INCOMPLETE, {"iat": ...}
    yield "good for ten years", LIFETIME, {"exp": now + 10 * _YEAR}


def _issuers(means: Means) -> Iterator[_Case]:
    issuer = str(means.good.claims.get("iss", ""))
    others: tuple[tuple[str, object], ...] = (
        ("another", "https://issuer.invalid"),
        ("absent", ...),
        ("null", None),
        ("empty", ""),
        ("a prefix of it", issuer[:-1]),
        ("longer by one character", f"{issuer}0"),
        ("with a slash after it", f"{issuer}/"),
        ("in another case", issuer.upper()),
    )
    for name, value in others:
        yield f"iss {name}", ISSUER, {"iss": value}
    yield "iss a list of it", UNCLEAR_CLAIMS, {"iss": [issuer]}


def _audiences(means: Means) -> Iterator[_Case]:
    aud = means.good.claims.get("aud")
    audience = str(aud[0] if isinstance(aud, list) and aud else aud)
    others: tuple[tuple[str, object], ...] = (
        ("another", "another-api"),
        ("absent", ...),
        ("null", None),
        ("empty", ""),
        ("a prefix of it", audience[:-1]),
        ("longer by one character", f"{audience}x"),
        ("a part of it", audience[1:-1]),
        ("in another case", audience.swapcase()),
        ("an empty list", []),
        ("a list of others", ["another-api", f"{audience}x"]),
    )
    for name, value in others:
        yield f"aud {name}", AUDIENCE, {"aud": value}
    yield "aud a list of it and another", AUDIENCE_LIST, {"aud": [audience, "another-api"]}


def _callers() -> Iterator[_Case]:
    yield "tenant_id absent", NO_TENANT, {"tenant_id": ...}
    yield "tenant_id empty", NO_TENANT, {"tenant_id": ""}
    yield "tenant_id null", NO_TENANT, {"tenant_id": None}
    yield "tenant_id a list", NO_TENANT, {"tenant_id": ["ten_a", "ten_b"]}
    yield "sub is not client_id", INCOMPLETE, {"sub": "app_probe"}
    yield "sub absent", INCOMPLETE, {"sub": ...}
    yield "client_id absent", INCOMPLETE, {"client_id": ...}
    yield "client_id a number", INCOMPLETE, {"client_id": 1, "sub": 1}
    yield "jti absent", INCOMPLETE, {"jti": ...}
    yield "bound to a key (cnf)", BOUND, {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}


def _unclear(means: Means) -> Iterator[tuple[str, Fault, object]]:
    text = json.dumps(means.fresh_claims({}))
    twice = text[:-1] + ', "exp": 4102444799}'
    yield "exp twice", UNCLEAR_CLAIMS, twice.encode()
    infinite = json.dumps(means.fresh_claims({"exp": ...}))[:-1] + ', "exp": 1e999}'
    yield "exp infinite", UNCLEAR_CLAIMS, infinite.encode()
    yield "a list", UNCLEAR_CLAIMS, [means.fresh_claims({})]
    yield "no JSON", UNCLEAR_CLAIMS, b"claims"
    yield "empty", UNCLEAR_CLAIMS, b""
