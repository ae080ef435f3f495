"""The caller: who a verified access token speaks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Caller:
    """An application of a tenant, as its access token names it. ``expires_at`` is in UTC seconds.

    ``claims`` are all claims of the token, read-only, among them any that this version knows nothing of.
    """

    tenant_id: str
    application_id: str
    scopes: frozenset[str]
    token_id: str
    expires_at: int
    claims: Mapping[str, object] = field(repr=False, compare=False)
