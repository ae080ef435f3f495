"""The service's own verifier takes its keys straight from the registry: a revoked key is refused at once."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sensos_auth.issuing.keyring import Keyring
from sensos_auth.model.errors import InvalidInput, RegistryUnavailable
from sensos_auth.verifying import KeysUnavailable, VerificationKey, parse_jwks

if TYPE_CHECKING:
    from collections.abc import Mapping


class RegistryKeys:
    """A key source over the keyring. ``clock`` returns UTC seconds."""

    def __init__(self, keyring: Keyring, clock: Callable[[], int]) -> None:
        self._keyring = keyring
        self._clock = clock
        self._document = b""
        self._keys: Mapping[str, VerificationKey] = {}

    def find(self, kid: str) -> VerificationKey | None:
        """Return the published key with this key ID, or None.

        Raises KeysUnavailable when no key is published or the registry cannot be read.
        """
        try:
            document = self._keyring.jwks(self._clock())
        except RegistryUnavailable as error:
            raise KeysUnavailable("the registry cannot be read right now") from error
        if document != self._document:
            try:
                self._keys = parse_jwks(document)
            except InvalidInput as error:
                raise KeysUnavailable("the registry publishes no key") from error
            self._document = document
        return self._keys.get(kid)
