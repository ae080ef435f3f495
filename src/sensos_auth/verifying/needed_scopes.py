"""The scopes that an endpoint needs of a caller who is known already."""

from sensos_auth.model.scope import normalize_scope
from sensos_auth.verifying.caller import Caller
from sensos_auth.verifying.errors import InsufficientScope


class NeededScopes:
    """The scopes of ``scope``, space-separated; raises InvalidInput if it is none."""

    def __init__(self, scope: str) -> None:
        self._scope = normalize_scope(scope)
        self._names = frozenset(self._scope.split())

    def check(self, caller: Caller) -> None:
        """Return if the caller has them all; raises InsufficientScope."""
        if not self._names <= caller.scopes:
            raise InsufficientScope(self._scope)
