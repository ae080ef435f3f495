"""Sealing what a change stores, under the master key of the registry as it is within the change."""

from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.registry.sealed_keys import any_sealed_key
from sensos_auth.registry.transactions import Change


def seal(change: Change, master_key: MasterKey, name: str, secret: bytes) -> bytes:
    """Return the secret, encrypted under that of the master key's keys which all else in the registry is sealed under.

    ``name`` is bound to it: what is opened under another does not open. Raises ConfigurationError when the registry is
    sealed under none of them, because the master key was rotated meanwhile: what an old one sealed could never be
    opened again.
    """
    kept = any_sealed_key(change)
    if kept is not None:
        master_key = master_key.that_sealed(kept.kid, kept.sealed_private_key)
    return master_key.seal(name, secret)
