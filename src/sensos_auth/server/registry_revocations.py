"""The service's own verifier asks the registry itself what is void: a revoked token is refused at once."""

from sensos_auth.model.errors import RegistryUnavailable
from sensos_auth.model.revocation import Provenance
from sensos_auth.registry import Registry
from sensos_auth.registry.revocations import is_void, revocations_version
from sensos_auth.verifying import RevocationsUnavailable


class RegistryRevocations:
    """The revocations of the registry, read at every use: nothing is held, so nothing has to be loaded or forgotten."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def generation(self) -> int:
        """Return the version of the last revocation; raises RevocationsUnavailable when the registry can't be read."""
        try:
            with self._registry.view() as view:
                return revocations_version(view)
        except RegistryUnavailable as error:
            raise _unreadable() from error

    def voids(self, token: Provenance) -> bool:
        """Tell whether the token is void at this moment; raises RevocationsUnavailable, as above."""
        try:
            with self._registry.view() as view:
                return is_void(view, token)
        except RegistryUnavailable as error:
            raise _unreadable() from error


def _unreadable() -> RevocationsUnavailable:
    return RevocationsUnavailable("the registry cannot be read right now")
