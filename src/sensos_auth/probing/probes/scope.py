"""Good tokens without the scope that the endpoint demands, and with what could be taken for it."""

from collections.abc import Iterator

from sensos_auth.probing.faults import SCOPE
from sensos_auth.probing.means import NEEDS_REGISTRY, NEEDS_SCOPE, Means
from sensos_auth.probing.probe import Expectation, Group, NotRun, Probe


def probes(means: Means) -> Iterator[Probe | NotRun]:
    """Yield requests with properly signed tokens that lack a scope."""
    needed = means.scope.split() or [""]
    first = needed[0]
    cases: list[tuple[str, object]] = [
        ("none", ...),
        ("another one", "probe:nothing"),
        ("a prefix of it", first[:-1] or "x"),
        ("longer by one character", f"{first}x"),
        ("in another case", first.swapcase()),
        ("only what comes before the colon", first.partition(":")[0] or "x"),
    ]
    if len(needed) > 1:
        cases.append(("only the first", first))
    for name, scope in cases:
        if not means.scope:
            yield NotRun(Group.SCOPE, name, NEEDS_SCOPE)
        elif means.registry is None:
            yield NotRun(Group.SCOPE, name, NEEDS_REGISTRY)
        elif scope != first or len(needed) > 1:
            text = means.issuer_signed(means.registry, {}, means.fresh_claims({"scope": scope}))
            request = means.endpoint.bearer(text)
            yield Probe(Group.SCOPE, name, request, Expectation.INSUFFICIENT_SCOPE, SCOPE, shown=text)
