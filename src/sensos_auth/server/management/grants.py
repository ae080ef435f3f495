"""What a caller may give away: no more than he holds, operators included.

A scope is one of its audience's. Callers' tokens are for this deployment's: who holds a scope here does not hold that
of another API, and only operators give anything away there.
"""

from sensos_auth.model.application import Application
from sensos_auth.server.management.authority import OPERATOR, Authority


def check_grant(authority: Authority, *, scope: str, audience: str | None, before: Application | None = None) -> None:
    """Raise InsufficientScope unless the caller may let an application have the scope at the audience.

    ``before`` is the application as it is, None for a new one: what it has already is not given.
    """
    same_audience = audience == (None if before is None else before.audience)
    had = before.scope.split() if before is not None and same_audience else []
    added = " ".join(name for name in scope.split() if name not in had)
    authority.need(added)
    if not same_audience or (added and audience is not None):
        authority.need(OPERATOR)


def check_handing_out(authority: Authority, application: Application) -> None:
    """Raise InsufficientScope unless the caller holds all that a token of the application would let its bearer do.

    For whatever makes such a token possible: a secret, a longer life of one, enabling.
    """
    authority.need(application.scope)
    if application.audience is not None:
        authority.need(OPERATOR)
