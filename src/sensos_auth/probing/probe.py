"""A probe: one bad request, what must come back, and what it means if something else does."""

from dataclasses import dataclass, field
from enum import StrEnum

from sensos_auth.probing.endpoint import Request
from sensos_auth.probing.faults import Fault


class Group(StrEnum):
    """What probes are about, in the order in which they are sent."""

    NO_TOKEN = "no token"  # noqa: S105 - a name
    HEADER = "Authorization header"
    FORM = "form of the token"
    SIGNATURE = "signature"
    ALGORITHM = "algorithm"
    HEADER_MEMBERS = "token header"
    CLAIMS = "claims"
    SCOPE = "scope"
    METHODS = "methods"
    PATHS = "paths"
    SPOOFED = "spoofed headers"
    REVOCATION = "revocation"


class Expectation(StrEnum):
    """What must come back."""

    MISSING = "401, Bearer without error (RFC 6750 section 3.1)"
    INVALID = "401, Bearer error=invalid_token (RFC 6750 section 3.1)"
    MALFORMED = "401 or 400, or refused by the HTTP server"
    INSUFFICIENT_SCOPE = "403, Bearer error=insufficient_scope (RFC 6750 section 3.1)"
    NO_ENTRY = "anything but success"
    ENTRY = "success, as with the good token"
    NOT_BELIEVED = "an answer without what the headers claim"


@dataclass(frozen=True, slots=True)
class Probe:
    """``fault`` is what it means when the expectation is missed. ``shown`` is the token in it, ``claimed`` the text
    that must not come back; neither appears in the representation.
    """  # noqa: D205 - one sentence for each

    group: Group
    name: str
    request: Request = field(repr=False)
    expectation: Expectation
    fault: Fault
    shown: str = field(default="", repr=False)
    claimed: str = ""


@dataclass(frozen=True, slots=True)
class NotRun:
    """A probe that was not sent, or proved nothing, and why."""

    group: Group
    name: str
    reason: str
