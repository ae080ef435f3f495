"""No token where it belongs: none at all, elsewhere, or under another scheme."""

from collections.abc import Iterator
from urllib.parse import quote

from sensos_auth.probing.endpoint import Request
from sensos_auth.probing.faults import OPEN, OTHER_SCHEME, TOKEN_ELSEWHERE, TOKEN_IN_BODY, Fault
from sensos_auth.probing.means import NEEDS_UNSAFE_METHODS, Means
from sensos_auth.probing.probe import Expectation, Group, NotRun, Probe

_OTHER_HEADERS = (
    "Proxy-Authorization",
    "X-Authorization",
    "X-Forwarded-Authorization",
    "X-Access-Token",
    "X-Auth-Token",
    "X-API-Key",
    "Authorization_",
)
_OTHER_SCHEMES = ("Basic {}", "Token {}", "JWT {}", "DPoP {}", "Bearers {}")


def probes(means: Means) -> Iterator[Probe | NotRun]:
    """Yield requests that show no token, or a good one where it does not count."""
    endpoint, token = means.endpoint, means.good.text
    yield _probe("nothing", endpoint.request(), OPEN)
    yield _probe("nothing, HTTP/1.0", endpoint.request(version="HTTP/1.0"), OPEN)
    for name in ("access_token", "token", "jwt"):
        separator = "&" if endpoint.query else "?"
        target = f"{endpoint.target}{separator}{name}={quote(token)}"
        yield _probe(f"in the query as {name}", endpoint.request(target=target), TOKEN_ELSEWHERE, token)
    for name in ("access_token", "token", "session"):
        request = endpoint.request(("Cookie", f"{name}={token}"))
        yield _probe(f"in the cookie {name}", request, TOKEN_ELSEWHERE, token)
    for name in _OTHER_HEADERS:
        request = endpoint.request((name, f"Bearer {token}"))
        yield _probe(f"in {name}", request, TOKEN_ELSEWHERE, token)
    for form in _OTHER_SCHEMES:
        request = endpoint.request(("Authorization", form.replace("{}", token)))
        yield _probe(f"as {form.replace('{}', '<token>')}", request, OTHER_SCHEME, token)
    if means.only_safe_methods:
        yield NotRun(Group.NO_TOKEN, "in the body", NEEDS_UNSAFE_METHODS)
        return
    request = endpoint.request(
        ("Content-Type", "application/x-www-form-urlencoded"), method="POST", body=f"access_token={token}".encode()
    )
    yield Probe(Group.NO_TOKEN, "in the body", request, Expectation.NO_ENTRY, TOKEN_IN_BODY, shown=token)


def _probe(name: str, request: Request, fault: Fault, shown: str = "") -> Probe:
    return Probe(Group.NO_TOKEN, name, request, Expectation.MISSING, fault, shown)
