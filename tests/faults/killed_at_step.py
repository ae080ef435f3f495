"""Backs up or restores in copies of a folder, and kills it (SIGKILL) before its first step, its second, ….

    python -m tests.faults.killed_at_step FOLDER ACTION

A step is a statement of the engine, or a call of the operating system that changes or syncs files. For each one there
is a copy of FOLDER/start, ``FOLDER/1``, ``FOLDER/2``, …; the last one's run came to its end. With ACTION ``again``
every copy is restored once more, whole.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from sensos_auth.registry.audit_export import read_export
from sensos_auth.registry.backup import back_up
from sensos_auth.registry.restoring import Evidence, restore

REGISTRY, BACKUP, JOURNAL = "data/registry.sqlite3", "backup.sqlite3", "audit.jsonl"
_CALLS = ("open", "fsync", "link", "rename", "replace", "unlink", "ftruncate")


def _back_up(folder: Path) -> None:
    back_up(folder / REGISTRY, folder / BACKUP, replace=True)


def _back_up_first(folder: Path) -> None:
    back_up(folder / REGISTRY, folder / "first.sqlite3")


def _restore(folder: Path) -> None:
    evidence = Evidence([read_export(folder / JOURNAL)])
    restore(folder / BACKUP, folder / REGISTRY, evidence, replace=True, check=lambda _: None)


_ACTIONS: dict[str, Callable[[Path], None]] = {
    "backup": _back_up,
    "first-backup": _back_up_first,
    "restore": _restore,
}


def _main(folder: Path, action: str) -> None:
    if action == "again":
        for copy in sorted(folder.glob("[0-9]*")):
            _run(copy, "restore", 1 << 30)
        return
    number = 0
    while True:
        number += 1
        copy = folder / str(number)
        shutil.copytree(folder / "start", copy)
        if _run(copy, action, number):
            sys.stdout.write(str(number))
            return


def _run(folder: Path, action: str, steps: int) -> bool:
    """Return whether it came to its end."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _die_at(steps)
            _ACTIONS[action](folder)
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit(f"the run of {steps} steps failed")
    return os.WIFEXITED(status)


def _die_at(steps: int) -> None:
    remaining = steps

    def step() -> None:
        nonlocal remaining
        remaining -= 1
        if remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def trace(_cursor: object, _statement: str, _bindings: object) -> bool:
        step()
        return True

    def hook(connection: apsw.Connection) -> None:
        connection.exec_trace = trace

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as the function has them
            step()
            return function(*arguments, **options)

        return call

    apsw.connection_hooks.append(hook)
    for name in _CALLS:
        setattr(os, name, counted(getattr(os, name)))
    time.sleep = lambda _: step()  # nobody else is there to be waited for


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])
