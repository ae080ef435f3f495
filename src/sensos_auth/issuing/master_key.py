"""The master key: encrypts the private halves of the signing keys and of the feed's key at rest.

It lives outside the registry (environment or a file of mode 0600) and is written as 32 bytes of base64url; plain
base64 and 64 hexadecimal digits are read as well.

Stored format of a sealed private key, never to change (another format gets another first byte):
``0x01`` + 12 random bytes (nonce) + AES-256-GCM ciphertext and tag, the key ID as associated data.
"""

import base64
import os
import re
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sensos_auth.model.errors import ConfigurationError

_FORMAT = b"\x01"
_NONCE_LENGTH = 12
_KEY_LENGTH = 32
_HEX = re.compile(r"[0-9a-fA-F]{64}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{43}=?")


class MasterKey:
    """Seals and opens private keys. Its representation shows nothing."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        """Take the 32 bytes of the key."""
        self._cipher = AESGCM(key)

    def seal(self, kid: str, private_key: bytes) -> bytes:
        """Return the private key, encrypted and bound to its key ID."""
        nonce = os.urandom(_NONCE_LENGTH)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, private_key, kid.encode())

    def open(self, kid: str, sealed: bytes) -> bytes:
        """Return the private key; raises ConfigurationError when this is not the master key that sealed it."""
        nonce, ciphertext = sealed[1 : 1 + _NONCE_LENGTH], sealed[1 + _NONCE_LENGTH :]
        if sealed[:1] != _FORMAT:
            raise ConfigurationError(f"the signing key {kid} was stored by a newer Sensos Auth: upgrade this program")
        try:
            return self._cipher.decrypt(nonce, ciphertext, kid.encode())
        except (InvalidTag, ValueError):  # ValueError: cut off within the nonce or the tag
            raise ConfigurationError(
                f"the master key does not open the signing key {kid}: set SENSOS_AUTH_MASTER_KEY or "
                "SENSOS_AUTH_MASTER_KEY_FILE to the master key that this registry was made with"
            ) from None


def parse_master_key(text: str, source: str) -> MasterKey:
    """Return the master key written in ``text``; raises ConfigurationError that names ``source`` and not the text."""
    text = text.strip()
    if _HEX.fullmatch(text):
        return MasterKey(bytes.fromhex(text))
    if _BASE64.fullmatch(text):
        return MasterKey(base64.urlsafe_b64decode(text.rstrip("=").replace("+", "-").replace("/", "_") + "="))
    raise ConfigurationError(f"{source} does not hold a master key: 32 bytes as base64url (43 characters)")


def read_master_key(path: Path) -> MasterKey | None:
    """Return the master key in the file, or None where there is no file.

    Raises ConfigurationError when it can't be read, is open to other users, or holds no master key.
    """
    try:
        with path.open(encoding="ascii") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(1024)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the master key file {path} cannot be read: {type(error).__name__}") from error
    if mode & 0o077:
        raise ConfigurationError(
            f"the master key file {path} is open to other users (mode {mode:o}): run chmod 600 {path}"
        )
    return parse_master_key(text, f"the master key file {path}")


def make_master_key(path: Path) -> None:
    """Write a fresh master key to the file (0600), whole or not at all; leaves a file that is already there alone.

    Raises ConfigurationError when the folder can't be written.
    """
    text = base64.urlsafe_b64encode(os.urandom(_KEY_LENGTH)).rstrip(b"=") + b"\n"
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(descriptor, text)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        raise ConfigurationError(f"the master key file {path} cannot be written: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
