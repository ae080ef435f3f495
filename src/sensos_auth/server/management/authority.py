"""Who calls, and what he may do, and where."""

from dataclasses import dataclass

from sensos_auth.registry import View
from sensos_auth.registry.revocations import is_void
from sensos_auth.verifying import Caller, InsufficientScope, InvalidToken
from sensos_auth.verifying.sensos_profile import SENSOS

# Says where: everywhere, in place of the caller's own tenant; and on what belongs to no tenant.
OPERATOR = "auth:operator"


@dataclass(frozen=True, slots=True)
class Authority:
    """What the caller's access token allows: its scopes say what, its tenant (or the scope ``auth:operator``) where."""

    caller: Caller

    @property
    def tenant_id(self) -> str:
        """Return the caller's own tenant."""
        return self.caller.tenant_id

    @property
    def application_id(self) -> str:
        """Return which application calls."""
        return self.caller.application_id

    @property
    def actor(self) -> str:
        """Return whom the audit trail names."""
        return f"application:{self.caller.application_id}"

    @property
    def is_operator(self) -> bool:
        """Tell whether the caller may act on every tenant."""
        return OPERATOR in self.caller.scopes

    def reaches(self, tenant_id: str) -> bool:
        """Tell whether the caller may know that this tenant exists."""
        return self.is_operator or tenant_id == self.caller.tenant_id

    def need(self, scope: str) -> None:
        """Raise InsufficientScope, which names what is missing, unless the caller holds all of these scopes.

        No one grants what he does not hold, nor makes a secret with which it could be had: operators included.
        """
        missing = [name for name in scope.split() if name not in self.caller.scopes]
        if missing:
            raise InsufficientScope(" ".join(missing))

    def check_still_stands(self, view: View) -> None:
        """Raise InvalidToken when the token has expired, or was revoked, by now.

        Between the first look at a token and the change that it allows lies the time in the queue. Looked at in the
        change's own transaction: once the call that takes something away has returned, nothing is changed with it.
        """
        # The kid is not asked for again: it says who signed, and not what may be done.
        provenance = SENSOS.provenance_of("", dict(self.caller.claims))
        if self.caller.expires_at <= view.now or is_void(view, provenance):
            raise InvalidToken("revoked")
