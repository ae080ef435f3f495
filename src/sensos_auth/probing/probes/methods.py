"""Other methods than the endpoint's, without a token."""

from collections.abc import Iterator

from sensos_auth.probing.faults import METHOD, TRACE
from sensos_auth.probing.means import NEEDS_UNSAFE_METHODS, Means
from sensos_auth.probing.probe import Expectation, Group, NotRun, Probe

_SAFE = ("HEAD", "OPTIONS", "PROPFIND", "get", "Get", "PROBE")
_UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


def probes(means: Means) -> Iterator[Probe | NotRun]:
    """Yield requests of other methods; those that could change something if they got through are asked for."""
    for method in _SAFE:
        yield Probe(Group.METHODS, method, means.endpoint.request(method=method), Expectation.NO_ENTRY, METHOD)
    # Answered with the request itself where it is on (RFC 9110 section 9.3.8).
    yield Probe(Group.METHODS, "TRACE", means.endpoint.request(method="TRACE"), Expectation.NO_ENTRY, TRACE)
    for method in _UNSAFE:
        if means.only_safe_methods:
            yield NotRun(Group.METHODS, method, NEEDS_UNSAFE_METHODS)
        else:
            yield Probe(Group.METHODS, method, means.endpoint.request(method=method), Expectation.NO_ENTRY, METHOD)
