"""Runs something on copies of an SQLite registry, and kills it (SIGKILL) before its first statement, its second, ….

    python -m tests.killed_at_statement FOLDER ACTION NOW

FOLDER may hold a closed ``registry.sqlite3``. For each statement a copy is made, ``FOLDER/1``, ``FOLDER/2``, …; the
last one is that of the run which came to its end. NOW is the time for the registry's clock, in UTC seconds.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sensos_auth.issuing.key_rotation import keep_keys_current, revoke, rotate
from sensos_auth.issuing.master_key import MasterKey
from sensos_auth.model.signing_key import active_key
from sensos_auth.registry import Registry
from sensos_auth.registry.migrating import Migration, known_migrations, migrate
from sensos_auth.registry.signing_keys import list_signing_keys
from sensos_auth.registry.sqlite import SqliteDatabase

FILE = "registry.sqlite3"
MASTER_KEY = MasterKey(bytes(range(32)))
LATER_MIGRATIONS = [
    Migration(9001, "later", "CREATE TABLE later (a BIGINT); INSERT INTO later VALUES (1); UPDATE later SET a = 2;"),
    Migration(9002, "last", "ALTER TABLE later ADD COLUMN b TEXT; CREATE INDEX later_b ON later (b);"),
]
_REPOSITORY = Path(__file__).parents[1]
_ENDED, _FAILED = 0, 1


def run_and_kill(folder: Path, action: str, now: int) -> list[Path]:
    """Return the registry files left behind, one for each statement; the last one's run came to its end."""
    command = [sys.executable, "-m", __spec__.name, str(folder), action, str(now)]
    ended = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 0, ended.stderr
    return [folder / str(number) / FILE for number in range(1, int(ended.stdout) + 1)]


def _migrate(database: SqliteDatabase, now: int) -> None:
    migrate(database, now, known_migrations() + LATER_MIGRATIONS)


def _keep(database: SqliteDatabase, now: int) -> None:
    keep_keys_current(Registry(database, lambda: now * 1000), MASTER_KEY, "ES256")


def _rotate(database: SqliteDatabase, now: int) -> None:
    rotate(Registry(database, lambda: now * 1000), MASTER_KEY, "ES256", actor="me", immediately=False)


def _rotate_immediately(database: SqliteDatabase, now: int) -> None:
    rotate(Registry(database, lambda: now * 1000), MASTER_KEY, "ES256", actor="me", immediately=True)


def _revoke_active(database: SqliteDatabase, now: int) -> None:
    registry = Registry(database, lambda: now * 1000)
    with registry.view() as view:
        active = active_key(list_signing_keys(view), now)
    assert active is not None
    revoke(registry, MASTER_KEY, "ES256", active.kid, actor="me")


_ACTIONS: dict[str, Callable[[SqliteDatabase, int], None]] = {
    "migrate": _migrate,
    "keep": _keep,
    "rotate": _rotate,
    "rotate-immediately": _rotate_immediately,
    "revoke-active": _revoke_active,
}


def _main(folder: Path, action: str, now: int) -> None:
    number = 0
    while True:
        number += 1
        copy = folder / str(number)
        copy.mkdir()
        if (folder / FILE).exists():
            shutil.copy(folder / FILE, copy)
        child = os.fork()
        if child == 0:
            _die_at_statement(copy / FILE, number, lambda database: _ACTIONS[action](database, now))
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            if os.WEXITSTATUS(status) != _ENDED:
                sys.exit(f"the run of {number} statements failed")
            break
        if os.WTERMSIG(status) != signal.SIGKILL:
            sys.exit(f"statement {number} ended with signal {os.WTERMSIG(status)}")
    sys.stdout.write(str(number))


def _die_at_statement(file: Path, number: int, act: Callable[[SqliteDatabase], None]) -> None:
    remaining = number

    def trace(_cursor: object, _statement: str, _bindings: object) -> bool:
        nonlocal remaining
        remaining -= 1
        if remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return True

    status = _FAILED
    try:
        database = SqliteDatabase(file)
        database.connection.exec_trace = trace
        act(database)
        status = _ENDED
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
