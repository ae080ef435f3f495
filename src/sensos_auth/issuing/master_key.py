"""The master key: encrypts the private halves of the signing keys and of the feed's key at rest.

It lives outside the registry (environment or a file of mode 0600) and is written as 32 bytes of base64url; plain
base64 and 64 hexadecimal digits are read as well. While it is rotated there are two, the old one and the new one, on a
line each.

Stored format of a sealed private key, never to change (another format gets another first byte):
``0x01`` + 12 random bytes (nonce) + AES-256-GCM ciphertext and tag, the key ID as associated data.
"""

import base64
import hashlib
import os
import re
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sensos_auth.model.errors import ConfigurationError

_FORMAT = b"\x01"
_NONCE_LENGTH = 12
_KEY_LENGTH = 32
_MOST_KEYS = 2
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{43}=?")


class MasterKey:
    """Seals and opens private keys. Its representation shows nothing.

    While it is rotated (issuing/rewrap.py) it is two: what either has sealed is opened.
    """

    __slots__ = ("_ciphers", "_reread")

    def __init__(self, *keys: bytes, reread: Callable[[], Sequence[bytes] | None] | None = None) -> None:
        """Take the 32 bytes of the key, or of each.

        ``reread`` returns the keys as they are kept now; it is asked when something does not open, because another
        process may have rotated the master key.
        """
        self._ciphers = _ciphers_of(keys)
        self._reread = reread

    @property
    def is_being_rotated(self) -> bool:
        """Tell whether it is two keys."""
        return len(self._ciphers) > 1

    def seal(self, kid: str, private_key: bytes) -> bytes:
        """Return the private key, encrypted under the first of the keys, and bound to its key ID."""
        cipher = next(iter(self._ciphers.values()))
        nonce = os.urandom(_NONCE_LENGTH)
        return _FORMAT + nonce + cipher.encrypt(nonce, private_key, kid.encode())

    def open(self, kid: str, sealed: bytes) -> bytes:
        """Return the private key; raises ConfigurationError when this is not the master key that sealed it."""
        return self._opened(kid, sealed)[1]

    def that_sealed(self, kid: str, sealed: bytes) -> "MasterKey":
        """Return the one of the keys that has sealed it; raises ConfigurationError when none has."""
        digest = self._opened(kid, sealed)[0]
        found = MasterKey()
        found._ciphers = {digest: self._ciphers[digest]}
        return found

    def _opened(self, kid: str, sealed: bytes) -> tuple[bytes, bytes]:
        if sealed[:1] != _FORMAT:
            raise ConfigurationError(f"the signing key {kid} was stored by a newer Sensos Auth: upgrade this program")
        opened = self._try(kid, sealed)
        if opened is None and self._reread is not None:
            kept = self._reread()
            if kept is not None:  # what was sealed before is opened as ever
                self._ciphers = _ciphers_of(kept) | self._ciphers
                opened = self._try(kid, sealed)
        if opened is None:
            raise ConfigurationError(
                f"the master key does not open the signing key {kid}: set SENSOS_AUTH_MASTER_KEY or "
                "SENSOS_AUTH_MASTER_KEY_FILE to the master key that this registry was made with, or to the new one "
                "after sensos-auth keys rewrap"
            )
        return opened

    def _try(self, kid: str, sealed: bytes) -> tuple[bytes, bytes] | None:
        nonce, ciphertext = sealed[1 : 1 + _NONCE_LENGTH], sealed[1 + _NONCE_LENGTH :]
        for digest, cipher in self._ciphers.items():
            with suppress(InvalidTag, ValueError):  # ValueError: cut off within the nonce or the tag
                return digest, cipher.decrypt(nonce, ciphertext, kid.encode())
        return None


def _ciphers_of(keys: Sequence[bytes]) -> dict[bytes, AESGCM]:
    return {hashlib.sha256(key).digest(): AESGCM(key) for key in keys}


def parse_master_key(text: str, source: str) -> MasterKey:
    """Return the master key written in ``text``; raises ConfigurationError that names ``source`` and not the text."""
    return MasterKey(*parse_keys(text, source))


def parse_keys(text: str, source: str) -> list[bytes]:
    """Return the bytes of the master key written in ``text``: one key, or the old and the new one while it is rotated.

    Raises ConfigurationError that names ``source`` and not the text.
    """
    keys = [_key_bytes(word) for word in text.split()]
    if not 1 <= len(keys) <= _MOST_KEYS or None in keys:
        raise ConfigurationError(f"{source} does not hold a master key: 32 bytes as base64url (43 characters)")
    return [key for key in keys if key is not None]


def _key_bytes(text: str) -> bytes | None:
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    if _BASE64.fullmatch(text):
        return base64.urlsafe_b64decode(text.rstrip("=").replace("+", "-").replace("/", "_") + "=")
    return None


def read_master_key(path: Path) -> MasterKey | None:
    """Return the master key in the file, or None where there is no file.

    Raises ConfigurationError when it can't be read, is open to other users, or holds no master key.
    """
    keys = read_keys(path)
    return None if keys is None else MasterKey(*keys)


def read_keys(path: Path) -> list[bytes] | None:
    """Return the bytes of the master key in the file, as :func:`parse_keys` does, or None where there is no file.

    Raises ConfigurationError when it can't be read, is open to other users, or holds no master key.
    """
    try:
        with path.open(encoding="ascii") as file:
            status = os.fstat(file.fileno())
            text = file.read(1024)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the master key file {path} cannot be read: {type(error).__name__}") from error
    mode = stat.S_IMODE(status.st_mode)
    # Of a file that root has put there, and that we could not change, the group may read: Kubernetes lets a container's
    # user read its secrets that way, and systemd a service's user its credentials.
    is_handed_over = status.st_uid == 0 and os.geteuid() != 0
    if mode & (0o037 if is_handed_over else 0o077):
        raise ConfigurationError(
            f"the master key file {path} is open to other users (mode {mode:o}): run chmod 600 {path}"
        )
    return parse_keys(text, f"the master key file {path}")


def new_key() -> bytes:
    """Return the bytes of a fresh master key."""
    return os.urandom(_KEY_LENGTH)


def make_master_key(path: Path) -> None:
    """Write a fresh master key to the file (0600), whole or not at all; leaves a file that is already there alone.

    Raises ConfigurationError when the folder can't be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_draft(draft, [new_key()], None)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise ConfigurationError(f"the master key file {path} cannot be written: {error.strerror}") from error


def replace_keys(path: Path, keys: Sequence[bytes]) -> None:
    """Put other keys into a master key file that is there, whole or not at all; its owner and mode stay.

    Raises ConfigurationError when it can't be written.
    """
    path = path.resolve()  # a link stays one
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            _write_draft(draft, keys, path.stat())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise ConfigurationError(f"the master key file {path} cannot be written: {error.strerror}") from error


def _write_draft(draft: Path, keys: Sequence[bytes], like: os.stat_result | None) -> None:
    text = b"".join(base64.urlsafe_b64encode(key).rstrip(b"=") + b"\n" for key in keys)
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if like is not None:  # who runs the command need not be who runs the service
            if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        os.write(descriptor, text)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
