"""What the machine is and does: its cores, the CPU time and memory of processes, its raw signing rate. Linux only."""

import os
import platform
import re
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True)
class Cores:
    """The core of the server that is measured, and the one of the load generator."""

    server: int
    load: int
    all: tuple[int, ...]

    def pinned(self, *cores: int) -> list[str]:
        """Return the beginning of a command line that runs the rest of it on these cores only."""
        return ["taskset", "--cpu-list", ",".join(map(str, cores))]


def choose_cores() -> Cores:
    """Return two cores, of different physical cores where there are such. Raises SystemExit where there is one only."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise SystemExit("The benchmark needs two cores: one for the server, one for the load generator.")
    first, *others = available
    siblings = _siblings(first)
    return Cores(first, next((core for core in others if core not in siblings), others[0]), tuple(available))


def _siblings(core: int) -> set[int]:
    listed = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    found: set[int] = set()
    for part in (listed.read_text().strip() if listed.exists() else str(core)).split(","):
        low, _, high = part.partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return found


def describe(cores: Cores) -> dict[str, str | int]:
    """Return what a reader of the figures needs to know of this machine."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    version = subprocess.run(["openssl", "version"], check=True, capture_output=True, text=True).stdout.strip()
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": len(cores.all),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "openssl": version,
    }


def signing_rate(cores: Cores, seconds: int) -> float:
    """Return how many ES256 signatures per second OpenSSL makes on the server's core."""
    command = [*cores.pinned(cores.server), "openssl", "speed", "-seconds", str(seconds), "-mr", "ecdsap256"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    match = re.search(r"^\+F\d+:\d+:256:([\d.]+):([\d.]+)$", said, re.MULTILINE)
    if match is None:
        raise SystemExit(f"openssl speed said something unexpected: {said!r}")
    # Signatures are made faster than they are verified; older releases print seconds, newer ones a rate.
    figure = float(match[1])
    return figure if figure > 1 else 1 / figure


def process_tree(root: int) -> list[int]:
    """Return the process and all its descendants."""
    found = [root]
    for process in found:
        for children in _PROC.glob(f"{process}/task/*/children"):
            try:
                found.extend(int(child) for child in children.read_text().split())
            except OSError:
                continue  # the thread has just ended
    return found


def cpu_seconds(process: int) -> float:
    """Return the CPU time that the process has used, all threads, user and system."""
    fields = (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def tree_cpu_seconds(root: int) -> float:
    """Return the CPU time that the process and all its descendants have used, those that have ended included."""
    used = 0.0
    for process in process_tree(root):
        with suppress(FileNotFoundError):  # it has just ended
            used += cpu_seconds(process)
    fields = (_PROC / str(root) / "stat").read_text().rpartition(")")[2].split()
    return used + (int(fields[13]) + int(fields[14])) / _TICKS_PER_SECOND


def resident_mib(process: int) -> float:
    """Return the resident memory of the process in MiB, pages that it shares included."""
    match = re.search(r"^VmRSS:\s+(\d+) kB$", (_PROC / str(process) / "status").read_text(), re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0


@contextmanager
def standing_still(roots: Iterable[int]) -> Iterator[None]:
    """Stop the processes and all their descendants (SIGSTOP) until the end of the block."""
    processes = [process for root in roots for process in process_tree(root)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def busy_seconds() -> float:
    """Return a clock that moves on by the CPU time that all processes together use, without interrupts.

    It counts what is left when the time without work is taken away: the kernel measures that, and samples the rest.
    """
    fields = [int(field) for field in (_PROC / "stat").read_text().split(maxsplit=9)[4:9]]
    cores = os.cpu_count() or 1
    return time.monotonic() * cores - sum(fields) / _TICKS_PER_SECOND
