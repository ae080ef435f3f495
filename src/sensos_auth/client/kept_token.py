"""A token kept in a file between the runs of short programs, such as the command line's.

The file is the user's alone (mode 0600 in a folder of mode 0700), and named after the credentials: other credentials,
a new secret among them, never meet its token. Times are those of the machine's clock since boot; a file from before
the last boot is worth nothing, and so is one that the wall clock calls expired.

Format of the file, which no other program may rely on: a JSON object as :func:`_written` makes it. Another format gets
another ``format``; a file that cannot be understood counts as none.
"""

import fcntl
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sensos_auth.client.held_token import HeldToken
from sensos_auth.client.surroundings import seconds_since_boot

_FORMAT = 1
_LARGEST_FILE = 64 * 1024
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CLOCK_SET_BACK = 60.0  # seconds that the wall clock may have been corrected since
_TIMES = ("issuedAt", "staleAt", "invalidAt", "expiresAt")


class KeptToken:
    """The place of one application's token in ``folder``. ``identity`` is everything that the token depends on."""

    def __init__(self, folder: Path, identity: tuple[str, ...]) -> None:
        name = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]
        self._folder = folder
        self._file = folder / f"{name}.json"
        self._lock_file = folder / f"{name}.lock"

    @contextmanager
    def locked(self, seconds: float) -> Iterator[bool]:
        """Let one process at a time into the block; after so many seconds of waiting, let this one in anyway.

        Tells the block whether it is alone. Raises OSError when nothing can be kept here.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            give_up_at = time.monotonic() + seconds
            while not (is_alone := _try_lock(descriptor)) and time.monotonic() < give_up_at:
                time.sleep(0.02)
            yield is_alone
        finally:
            os.close(descriptor)

    def load(self) -> HeldToken | None:
        """Return the token that is kept, if it still serves; None as well for a file that is not this user's alone."""
        try:
            descriptor = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                is_private = (
                    stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
                )
                return _read(file.read(_LARGEST_FILE)) if is_private else None
        except OSError:
            return None

    def save(self, held: HeldToken) -> None:
        """Keep the token; raises OSError."""
        draft = self._file.with_suffix(f".{os.getpid()}")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(_written(held))
            draft.replace(self._file)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


def _written(held: HeldToken) -> bytes:
    times = (held.issued_at, held.stale_at, held.invalid_at, held.expires_at)
    issued_at = time.time() - (seconds_since_boot() - held.issued_at)
    return json.dumps(
        {
            "format": _FORMAT,
            "bootId": _boot_id(),
            "issuedAtWall": issued_at,
            "accessToken": held.token,
            **dict(zip(_TIMES, times, strict=True)),
        }
    ).encode()


def _read(content: bytes) -> HeldToken | None:
    try:
        members = json.loads(content)
        token, boot_id = str(members["accessToken"]), members["bootId"]
        issued_at, stale_at, invalid_at, expires_at = (float(members[name]) for name in _TIMES)
        age_by_wall = time.time() - float(members["issuedAtWall"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    now = seconds_since_boot()
    is_of_this_boot = members.get("format") == _FORMAT and boot_id == _boot_id() and issued_at <= now < expires_at
    if not is_of_this_boot or not -_CLOCK_SET_BACK <= age_by_wall < expires_at - issued_at:
        return None
    return HeldToken(token, f"Bearer {token}", issued_at, stale_at, invalid_at, expires_at)


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""  # macOS: the clocks have to do


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: rather one request too many than a long wait for nobody
        return True
    return True
