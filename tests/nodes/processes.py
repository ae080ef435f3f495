"""The processes that a process has made: to stop them all where they stand."""

import subprocess
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """Return the IDs of its children, and of theirs, as of now; none if it is gone."""
    found = []
    for child in _children(pid):
        found += [child, *children_of(child)]
    return found


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task")
    if Path("/proc/self/task").exists():
        try:
            return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
        except OSError:
            return []
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [line.split() for line in listed.splitlines()]
    return [int(child) for child, parent in pairs if int(parent) == pid]
