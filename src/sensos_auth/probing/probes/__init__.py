"""The bad requests, one module for each group. Each yields its probes, and what could not be sent and why."""

from collections.abc import Iterator

from sensos_auth.probing.means import Means
from sensos_auth.probing.probe import NotRun, Probe
from sensos_auth.probing.probes import (
    algorithm,
    claims,
    header_members,
    malformed_header,
    methods,
    no_token,
    paths,
    scope,
    signature,
    spoofed_headers,
    token_form,
)

_GROUPS = (
    no_token,
    malformed_header,
    token_form,
    signature,
    algorithm,
    header_members,
    claims,
    scope,
    methods,
    paths,
    spoofed_headers,
)


def all_probes(means: Means) -> Iterator[Probe | NotRun]:
    """Yield every probe but revocation, which takes several requests (:mod:`sensos_auth.probing.revoking`)."""
    for group in _GROUPS:
        yield from group.probes(means)
