"""The caller: who a verified access token speaks for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Caller:
    """An application of a tenant, as its access token names it. ``expires_at`` is in UTC seconds.

    ``payload`` are the claims as they were signed: a JSON object.
    """

    tenant_id: str
    application_id: str
    scopes: frozenset[str]
    token_id: str
    expires_at: int
    payload: bytes = field(default=b"{}", repr=False, compare=False)

    @property
    def claims(self) -> Mapping[str, object]:
        """All claims of the token, read-only, among them any that this version knows nothing of.

        Read from ``payload`` each time (some microseconds), so that callers stay small: thousands are held at once.
        """
        return MappingProxyType(json.loads(self.payload))
