"""Rotates the master key of copies of a deployment, killed (SIGKILL) before each step in turn.

    python -m tests.issuing.rewrap_killed FOLDER

``FOLDER/whole`` is the deployment's data folder. A step is a statement of the registry, or a call that changes a file.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from sensos_auth.issuing.rewrap import rewrap
from sensos_auth.registry import Registry
from sensos_auth.registry.sqlite import SqliteDatabase

_REPOSITORY = Path(__file__).parents[2]
_FILE_CALLS = ("open", "write", "fsync", "fchmod", "replace", "rename", "unlink", "close")


def kill_at_each_step(folder: Path) -> list[Path]:
    """Return the data folders left behind; the last one's run came to its end."""
    command = [sys.executable, "-m", __spec__.name, str(folder)]
    ended = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 0, ended.stderr
    return [folder / str(number) for number in range(1, int(ended.stdout) + 1)]


def _main(folder: Path) -> None:
    number = 0
    while True:
        number += 1
        copy = folder / str(number)
        shutil.copytree(folder / "whole", copy)
        child = os.fork()
        if child == 0:
            _die_at_step(copy, number)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            if os.WEXITSTATUS(status) != 0:
                sys.exit(f"the run of {number} steps failed")
            break
        if os.WTERMSIG(status) != signal.SIGKILL:
            sys.exit(f"step {number} ended with signal {os.WTERMSIG(status)}")
    sys.stdout.write(str(number))


def _die_at_step(folder: Path, number: int) -> None:
    remaining = number

    def step() -> None:
        nonlocal remaining
        remaining -= 1
        if remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def trace(*_: object) -> bool:
        step()
        return True

    def counted(name: str) -> Any:  # noqa: ANN401 - a function of the module os
        call = getattr(os, name)

        def count_and_call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as it takes them
            step()
            return call(*arguments, **options)

        return count_and_call

    status = 1
    leave = os._exit
    try:
        database = SqliteDatabase(folder / "registry.sqlite3")
        database.connection.exec_trace = trace
        for name in _FILE_CALLS:
            setattr(os, name, counted(name))
        rewrap(Registry(database), {"SENSOS_AUTH_DATA_DIR": str(folder)}, actor="me")
        status = 0
    finally:
        leave(status)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
