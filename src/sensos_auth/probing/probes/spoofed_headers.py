"""Headers that mean something from a gateway only, sent by a client."""

from collections.abc import Iterator

from sensos_auth.probing.endpoint import Header
from sensos_auth.probing.faults import IDENTITY, METHOD_OVERRIDE, SPOOFED
from sensos_auth.probing.means import NEEDS_UNSAFE_METHODS, Means
from sensos_auth.probing.probe import Expectation, Group, NotRun, Probe

_OURS = ("X-Sensos-Tenant-Id", "X-Sensos-Application-Id", "X-Sensos-Scope", "X-Sensos-Token-Id")
_OTHERS = ("X-Tenant-Id", "X-User-Id", "X-Forwarded-User", "X-Auth-Request-User", "X-Remote-User", "Remote-User")
_CANARY = "probe-canary"


def probes(means: Means) -> Iterator[Probe | NotRun]:
    """Yield requests with such headers: without a token, and with a good one and somebody else's name."""
    good = means.good
    tenant, application = (_as_header_value(good.claims.get(name)) for name in ("tenant_id", "client_id"))
    identity = tuple(zip(_OURS, (tenant, application, "admin", "probe"), strict=True))
    yield _refused(means, "X-Sensos-… of the caller", *identity)
    yield _refused(means, "X_Sensos_… of the caller", *((name.replace("-", "_"), value) for name, value in identity))
    yield _refused(means, "names of other gateways", *((name, application) for name in _OTHERS))
    for name, value in (
        ("X-Original-URL", "/healthz"),
        ("X-Rewrite-URL", "/healthz"),
        ("X-Forwarded-Uri", "/healthz"),
        ("X-Forwarded-Path", "/healthz"),
        ("X-Forwarded-Prefix", "/public"),
        ("X-Forwarded-Method", "OPTIONS"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Real-IP", "127.0.0.1"),
        ("X-Forwarded-Host", "localhost"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=127.0.0.1;host=localhost;proto=https"),
        ("X-HTTP-Method-Override", "OPTIONS"),
        ("Origin", f"https://{means.endpoint.host}"),
    ):
        yield _refused(means, name, (name, value))
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        if means.only_safe_methods:
            yield NotRun(Group.SPOOFED, f"POST, {name}: GET", NEEDS_UNSAFE_METHODS)
        else:
            request = means.endpoint.request((name, "GET"), method="POST")
            yield Probe(Group.SPOOFED, f"POST, {name}: GET", request, Expectation.NO_ENTRY, METHOD_OVERRIDE)
    for group, names in (("X-Sensos-…", _OURS), ("names of other gateways", _OTHERS)):
        claimed = ((spelling, _CANARY) for name in names for spelling in (name, name.replace("-", "_")))
        request = means.endpoint.request(("Authorization", f"Bearer {good.text}"), *claimed)
        name = f"a good token, and somebody else in {group}"
        yield Probe(Group.SPOOFED, name, request, Expectation.NOT_BELIEVED, IDENTITY, good.text, _CANARY)


def _as_header_value(claim: object) -> str:
    return claim if isinstance(claim, str) and claim.isascii() and claim.isprintable() else "someone"


def _refused(means: Means, name: str, *headers: Header) -> Probe:
    return Probe(Group.SPOOFED, name, means.endpoint.request(*headers), Expectation.NO_ENTRY, SPOOFED)
