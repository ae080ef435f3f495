"""The rotation of the master key: everything is sealed anew, and the service goes on meanwhile.

1. The master key file gets a second line: the new key. Whoever reads it opens what either has sealed.
2. One change seals every private key anew.
3. The old key leaves the file.

A kill between any two of them leaves a registry that opens with what is there, and the next run goes on from there.
Where the master key is in the environment, which no program can change, it is for people to do 1 and 3.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sensos_auth.issuing.configuration import master_key_file
from sensos_auth.issuing.master_key import MasterKey, make_master_key, new_key, parse_keys, read_keys, replace_keys
from sensos_auth.model.errors import ConfigurationError, Conflict
from sensos_auth.registry import Registry, View
from sensos_auth.registry.sealed_keys import SealedKey, any_sealed_key, replace_sealed_keys, sealed_keys

_VARIABLE = "SENSOS_AUTH_MASTER_KEY"


class Rewrapped(NamedTuple):
    """How many private keys were sealed anew, and the file that holds the new master key.

    The file is ``None`` where it is the second key of the environment's variable. ``is_complete``: there is nothing
    left to do for people.
    """

    keys: int
    new_file: Path | None
    is_complete: bool


def rewrap(
    registry: Registry, environment: Mapping[str, str], *, actor: str, new_master_key_file: Path | None = None
) -> Rewrapped:
    """Seal every private key of the registry under a new master key, or go on with a rotation that was cut off.

    The new one is that in ``new_master_key_file``, which is made where it is not there; else a fresh one, in the
    deployment's own file. Raises ConfigurationError when the master key is missing or wrong, or its file can't be
    written; Conflict when the new one is no new one, or not the one that a rotation was begun with.
    """
    text = environment.get(_VARIABLE)
    if text is not None:
        return _rewrap_for_environment(registry, parse_keys(text, _VARIABLE), new_master_key_file, actor)
    path = master_key_file(environment)
    with _alone(path.resolve().parent):
        held = read_keys(path)
        if held is None:
            raise ConfigurationError(f"the master key file {path} is missing: put it back")
        given = None if new_master_key_file is None else _key_in(new_master_key_file)
        old, new = _old_and_new(registry, held, given)
        if held != [old, new]:
            replace_keys(path, [old, new])
        count = _seal_anew(registry, old, new, actor)
        try:
            replace_keys(path, [new])
        except ConfigurationError as error:
            raise ConfigurationError(
                f"the registry is sealed under the new master key, but {error}: take the other one out of it"
            ) from error
    return Rewrapped(count, path, is_complete=True)


def _rewrap_for_environment(registry: Registry, held: list[bytes], new_file: Path | None, actor: str) -> Rewrapped:
    if new_file is None and len(held) == 1:
        raise ConfigurationError(
            f"the master key is in {_VARIABLE}, where no program can change it: name the file of the new one with "
            "--new-master-key-file"
        )
    given = None if new_file is None else _key_in(new_file)
    old, new = _old_and_new(registry, held, given)
    return Rewrapped(_seal_anew(registry, old, new, actor), new_file, is_complete=False)


def _old_and_new(registry: Registry, held: list[bytes], given: bytes | None) -> tuple[bytes, bytes]:
    if len(held) > 1:
        if given is not None and given != held[1]:
            raise Conflict("a rotation of the master key to another key is under way: let it end first, without a file")
        return held[0], held[1]
    if given == held[0]:
        raise Conflict("this is the master key already: the new one must be another")
    old = held[0]
    with registry.view() as view:
        _check_opens(view, MasterKey(old) if given is None else MasterKey(old, given))
    return old, new_key() if given is None else given


def _check_opens(view: View, master_key: MasterKey) -> None:
    kept = any_sealed_key(view)
    if kept is not None:
        master_key.open(kept.kid, kept.sealed_private_key)


def _seal_anew(registry: Registry, old: bytes, new: bytes, actor: str) -> int:
    both, only_new = MasterKey(old, new), MasterKey(new)
    with registry.change(actor) as change:
        anew = [
            SealedKey(kid, only_new.seal(kid, both.open(kid, sealed_private_key)))
            for kid, sealed_private_key in sealed_keys(change)
        ]
        replace_sealed_keys(change, anew)
    return len(anew)


def _key_in(path: Path) -> bytes:
    if not path.exists():
        make_master_key(path)
    keys = read_keys(path)
    if keys is None or len(keys) != 1:
        raise ConfigurationError(f"the file {path} must hold the new master key, and nothing else")
    return keys[0]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other rotations out: of two at once, one would take the other's new key out of the file."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ConfigurationError(f"the folder of the master key cannot be read: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
